"""Top-KAST: a sparse forward pass and a sparse backward pass."""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from tf_rigl.algorithms import pruning
from tf_rigl.algorithms.algorithm import Algorithm
from tf_rigl.algorithms.algorithm import Weight
from tf_rigl.algorithms.algorithm import WeightUpdate
from tf_rigl.algorithms.algorithm import When
from tf_rigl.core.schedules import FOREVER
from tf_rigl.core.schedules import UpdateSchedule


@dataclasses.dataclass(frozen=True)
class TopKAST(Algorithm):
    """Top-K always sparse training.

    Begins with a dense model, `sparsify(..., start="dense")`, and prunes it
    before the first batch. The forward pass uses the set A, the connections
    of largest magnitude at what `sparsify` allotted; a step trains the set B,
    A and the next largest, round(`backward_ratio` · |A|) in all. Both are
    chosen after the steps 0, update_interval, 2 · update_interval, ..., from
    the values of all positions. What is outside B keeps its value untouched,
    and its slots are 0. The exploration regularization adds λ · w to the
    gradient in A and λ · w / D in B outside A, D being the density of A.

    Here the gradient of B comes from a dense backward pass and is masked, so
    training saves no work. Inactive values and B take 5 bytes an element.

    Attributes:
        stop_step: end of the mask updates, in optimizer steps; None: never,
            as in the paper.
        update_interval: optimizer steps between two choices; the paper found
            100 to do no harm.
        backward_ratio: size of B over that of A, at least 1.
        regularization: λ, the paper's L2 coefficient; 1e-4 by default.

    Raises:
        ValueError: for an argument out of its range, at construction; where
            training begins with a model that is sparse already.

    Reference: Jayakumar et al., "Top-KAST: Top-K Always Sparse Training",
    NeurIPS 2020, arXiv:2106.03517, section 2.
    """

    name = "top_kast"
    start = "dense"
    trains_inactive = True

    stop_step: int | None = None
    update_interval: int = 100
    backward_ratio: float = 2.0
    regularization: float = 1e-4

    def __post_init__(self) -> None:
        if not self.backward_ratio >= 1:
            raise ValueError(
                "`backward_ratio` must be at least 1: what the forward pass "
                "uses is trained. Received: "
                f"backward_ratio={self.backward_ratio}."
            )
        if not self.regularization >= 0:
            raise ValueError(
                "`regularization` must be at least 0. "
                f"Received: regularization={self.regularization}."
            )
        _ = self.schedule

    @property
    def schedule(self) -> UpdateSchedule:
        """From the first step on."""
        stop = FOREVER if self.stop_step is None else self.stop_step
        return UpdateSchedule(0, stop, self.update_interval)

    @property
    def state(self) -> dict[str, tf.DType | None]:
        """The set B."""
        return {"backward": tf.bool}

    def trained(self, weight: Weight) -> tf.Tensor | None:
        """The set B."""
        return weight.state["backward"]

    def step_gradient(self, weight: Weight) -> tf.Tensor:
        """With the exploration regularization."""
        density = weight.target / weight.mask.shape.num_elements()
        strength = tf.where(
            weight.mask,
            tf.constant(self.regularization, weight.gradient.dtype),
            tf.constant(self.regularization / density, weight.gradient.dtype),
        )
        penalty = strength * tf.cast(weight.values, weight.gradient.dtype)
        return weight.gradient + penalty

    def update(
        self, weights: Sequence[Weight], when: When
    ) -> list[WeightUpdate]:
        """Chooses A and B anew."""
        del when
        results = pruning.keep_largest(
            weights,
            [weight.values for weight in weights],
            [weight.target for weight in weights],
            "weight",
            revive=True,
        )
        return [
            result._replace(state={"backward": self._backward(weight)})
            for weight, result in zip(weights, results, strict=True)
        ]

    def _backward(self, weight: Weight) -> tf.Tensor:
        size = weight.mask.shape.num_elements()
        count = min(size, round(self.backward_ratio * weight.target))
        return weight.structure.largest(weight.values, count)
