"""Top-KAST: sparse forward and backward passes."""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from tf_rigl.algorithms import algorithm
from tf_rigl.algorithms import pruning
from tf_rigl.algorithms.requirements import INACTIVE_VALUES
from tf_rigl.algorithms.schedule import MaskSchedule
from tf_rigl.core.checks import check_at_least
from tf_rigl.core.decimals import as_written


@dataclasses.dataclass(frozen=True)
class TopKAST(algorithm.Algorithm):
    """Top-K always sparse training.

    Training must begin dense: `sparsify(..., start="dense")`; the model is
    pruned before the first batch. The forward pass uses the set A, the
    connections of largest magnitude, as many as `sparsify` allotted. A step
    trains the set B, which consists of A and the next largest,
    round(`backward_ratio` · |A|) in total. Both are selected after the steps 0,
    update_interval, 2 · update_interval, ... from the values of all positions.
    Positions outside B keep their values and have slots of 0. The exploration
    regularization adds λ · w to the gradient in A, and λ · w / D in B outside
    A, where D is the density of A.

    In this implementation the gradient of B is a dense gradient that is masked,
    so training saves no computation. Inactive values and B take 5 bytes per
    element.

    Attributes:
        stop_step: end of the mask updates, in optimizer steps; None for no end,
            as in the paper.
        update_interval: optimizer steps between two selections; 100 does no
            harm according to the paper.
        backward_ratio: size of B divided by the size of A, at least 1.
        regularization: λ, the paper's L2 coefficient; 1e-4 by default.

    Errors are those of `Algorithm`.

    Reference: Jayakumar et al., "Top-KAST: Top-K Always Sparse Training",
    NeurIPS 2020, arXiv:2106.03517, section 2.
    """

    name = "top_kast"
    # The gradient of the set B comes from a dense backward pass.
    requirements = pruning.requirements(
        dense_gradient_steps="all", latent=INACTIVE_VALUES
    )

    stop_step: int | None = None
    update_interval: int = 100
    backward_ratio: float = 2.0
    regularization: float = 1e-4

    def __post_init__(self) -> None:
        check_at_least(
            "backward_ratio", self.backward_ratio, 1, "the size of B over A's"
        )
        check_at_least("regularization", self.regularization, 0)
        _ = self.mask_schedule

    @property
    def mask_schedule(self) -> MaskSchedule:
        """Updates from the first step on, by default until the last."""
        if self.stop_step is None:
            return MaskSchedule.regular(self.update_interval)
        return MaskSchedule.regular(self.update_interval, self.stop_step)

    @property
    def state(self) -> dict[str, tf.DType | None]:
        """The set B."""
        return {"backward": tf.bool}

    def trainable_mask(self, weight: algorithm.WeightView) -> tf.Tensor | None:
        """Returns the set B as a mask."""
        return weight.state["backward"]

    def step_gradient(self, weight: algorithm.WeightView) -> tf.Tensor:
        """Adds the exploration regularization to the gradient."""
        density = weight.target / weight.mask.shape.num_elements()
        strength = tf.where(
            weight.mask,
            tf.constant(self.regularization, weight.gradient.dtype),
            tf.constant(self.regularization / density, weight.gradient.dtype),
        )
        penalty = strength * tf.cast(weight.values, weight.gradient.dtype)
        return weight.gradient + penalty

    def update(
        self, weights: Sequence[algorithm.WeightView], when: algorithm.StepInfo
    ) -> list[algorithm.WeightUpdate]:
        """Selects A and B again."""
        del when
        results = pruning.keep_largest(weights, allow_regrowth=True)
        return [
            result._replace(state={"backward": self._backward(weight)})
            for weight, result in zip(weights, results, strict=True)
        ]

    def _backward(self, weight: algorithm.WeightView) -> tf.Tensor:
        size = weight.mask.shape.num_elements()
        wanted = round(as_written(self.backward_ratio) * weight.target)
        return weight.structure.largest(weight.values, min(size, wanted))
