"""SNFS: drop the weakest connections, grow by the momentum of gradients."""

import dataclasses
import functools
from collections.abc import Mapping
from collections.abc import Sequence

import tensorflow as tf

from tf_rigl.algorithms import algorithm
from tf_rigl.algorithms.requirements import Requirements
from tf_rigl.algorithms.schedule import DropSchedule
from tf_rigl.algorithms.schedule import MaskSchedule
from tf_rigl.algorithms.schedule import StopStep
from tf_rigl.core import selection
from tf_rigl.core.apportion import apportion
from tf_rigl.core.checks import check_fraction
from tf_rigl.core.drop_and_grow import changed
from tf_rigl.core.schedules import DropFraction


@dataclasses.dataclass(frozen=True)
class SNFS(algorithm.Algorithm):
    """Sparse networks from scratch, also known as sparse momentum.

    Each step computes m = μ · m + (1 - μ) · g from the dense gradient g,
    starting at m = 0. At each mask update, after the batch's weight update, a
    weight drops the K = floor(f(t) · nnz) connections of smallest magnitude and
    grows K where |m| is largest, with value 0.

    With `redistribute`, the connections dropped by all weights are
    redistributed as in the paper: in proportion to the mean |m| over a weight's
    connections before the drop, and at most to its size. The excess of a full
    weight goes to the others in the same proportion. The number of connections
    of the whole model stays exact.

    m takes as many bytes as the weight in float32, like the paper's momentum.

    Attributes:
        stop_step, update_interval, drop_fraction, start_step, decay: as in
            `RigL`. The paper updates once per epoch; its p, 0.5, is
            `drop_fraction` (section 3).
        momentum: μ, the decay rate of the moving average, in [0, 1].
        redistribute: whether connections move between weights. Evci et al.
            (arXiv:1911.11134) compare SNFS without it. Not supported with
            structured masks.

    Errors are those of `Algorithm`.

    Reference: Dettmers and Zettlemoyer, "Sparse Networks from Scratch: Faster
    Training without Losing Performance", arXiv:1907.04840, algorithm 1.
    """

    name = "snfs"

    stop_step: StopStep = None
    update_interval: int = 100
    drop_fraction: float = 0.3
    start_step: int = 0
    decay: str | DropFraction = "cosine"
    momentum: float = 0.9
    redistribute: bool = False

    def __post_init__(self) -> None:
        _ = self.drop_schedule
        check_fraction("momentum", self.momentum, "the weight of the past")

    @property
    def requirements(self) -> Requirements:
        """Uses the dense gradient in all steps; redistribution, all weights."""
        return Requirements(
            dense_gradient_steps="all",
            observes=True,
            whole_model=self.redistribute,
        )

    @property
    def mask_schedule(self) -> MaskSchedule:
        """Updates every `update_interval` steps from `start_step` on."""
        return MaskSchedule.regular(
            self.update_interval, self.stop_step, self.start_step
        )

    @functools.cached_property
    def drop_schedule(self) -> DropSchedule:
        """Fraction of connections that each update moves."""
        return DropSchedule(self.mask_schedule, self.drop_fraction, self.decay)

    @property
    def state(self) -> Mapping[str, tf.DType | None]:
        """Exponential moving average of the gradient."""
        return {"momentum": tf.float32}

    def observe(
        self, weight: algorithm.WeightView, when: algorithm.StepInfo
    ) -> Mapping[str, tf.Tensor]:
        """Updates the exponential moving average of the gradient."""
        del when
        gradient = tf.cast(weight.gradient, tf.float32)
        finite = tf.reduce_all(tf.math.is_finite(gradient))
        old = weight.state["momentum"]
        new = self.momentum * old + (1 - self.momentum) * gradient
        # A single overflow must not make the average infinite forever.
        return {"momentum": tf.where(finite, new, old)}

    def update(
        self, weights: Sequence[algorithm.WeightView], when: algorithm.StepInfo
    ) -> list[algorithm.WeightUpdate]:
        """Drops by magnitude and grows by momentum."""
        if self.redistribute:
            return self._update_all(weights, when)
        return [
            algorithm.WeightUpdate(
                weight.structure.drop_and_grow(
                    weight.values,
                    weight.mask,
                    weight.state["momentum"],
                    self.drop_schedule.count(weight.mask, when.update),
                )
            )
            for weight in weights
        ]

    def _update_all(
        self, weights: Sequence[algorithm.WeightView], when: algorithm.StepInfo
    ) -> list[algorithm.WeightUpdate]:
        """Drops in each weight and grows where the momentum is largest."""
        # Drop in every weight, and count the inactive positions left.
        kept = []
        for weight in weights:
            nonzeros = selection.count_true(weight.mask)
            count = self.drop_schedule.count(weight.mask, when.update)
            kept.append(
                selection.largest_mask(
                    weight.values, weight.mask, nonzeros - count
                )
            )

        capacities = [selection.count_true(~mask) for mask in kept]
        dropped = [
            selection.count_true(weight.mask & ~mask)
            for weight, mask in zip(weights, kept, strict=True)
        ]

        # Apportion the dropped connections by mean momentum.
        grown = apportion(
            tf.add_n(dropped),
            tf.stack([_mean_momentum(weight) for weight in weights]),
            tf.stack(capacities),
        )

        results = []
        for number, (weight, mask) in enumerate(
            zip(weights, kept, strict=True)
        ):
            new = mask | selection.largest_mask(
                weight.state["momentum"], ~mask, grown[number]
            )
            results.append(algorithm.WeightUpdate(changed(weight.mask, new)))
        return results


def _mean_momentum(weight: algorithm.WeightView) -> tf.Tensor:
    """Returns the mean |m| over the connections, float64; 0 if there are none.

    It is rounded to float32 because devices add in different orders.
    """
    magnitudes = tf.cast(tf.abs(weight.state["momentum"]), tf.float64)
    zeros = tf.zeros_like(magnitudes)
    total = tf.reduce_sum(tf.where(weight.mask, magnitudes, zeros))
    count = tf.cast(selection.count_true(weight.mask), tf.float64)
    mean = tf.math.divide_no_nan(total, count)
    return tf.cast(tf.cast(mean, tf.float32), tf.float64)
