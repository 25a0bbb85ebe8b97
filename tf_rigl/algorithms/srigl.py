"""SRigL: RigL with the same number of connections in every unit."""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tf_rigl.algorithms.algorithm import Algorithm
from tf_rigl.algorithms.algorithm import StepInfo
from tf_rigl.algorithms.algorithm import WeightUpdate
from tf_rigl.algorithms.algorithm import WeightView
from tf_rigl.algorithms.requirements import Requirements
from tf_rigl.algorithms.schedule import DropSchedule
from tf_rigl.algorithms.schedule import MaskSchedule
from tf_rigl.algorithms.schedule import StopStep
from tf_rigl.core import decimals
from tf_rigl.core import selection
from tf_rigl.core.checks import check_fraction
from tf_rigl.core.drop_and_grow import MaskUpdate
from tf_rigl.core.drop_and_grow import changed_if_finite
from tf_rigl.core.schedules import DropFraction
from tf_rigl.core.structures import ConstantFanIn


@dataclasses.dataclass(frozen=True)
class SRigL(Algorithm):
    """Structured RigL: constant fan-in with neuron ablation.

    Needs masks of `sparsify(..., structure=tf_rigl.ConstantFanIn())`. An update
    of a weight with a target of nnz connections moves K = floor(f(t) · present
    nnz) of them:

    1. All but the K connections of smallest magnitude are kept; the K positions
       with the largest gradient among the others are candidates.
    2. Units with fewer than max(1, floor(γ · k)) kept connections and
       candidates, where k is the present fan-in, are ablated: they lose all
       connections. Enough units remain to hold the target at full fan-in, those
       with the most kept connections and candidates. Ablation is decided anew
       at every update.
    3. The new fan-in is k = floor(nnz / remaining units), at most all inputs.
       Units keep their k largest kept connections and fill up with the largest
       gradients among the other positions, including those just dropped.

    The number of connections is k times the remaining units; it falls short of
    the target by less than the number of units. New connections start at 0, and
    the batch's weight update is skipped.

    Attributes:
        stop_step, update_interval, drop_fraction, start_step, decay: as in
            `RigL`.
        ablation_threshold: γ_sal, the fraction of the fan-in below which a unit
            is ablated, in [0, 1]; the paper uses 0.3, and 0.95 for ViT. None
            disables ablation.
        never_ablate: keys of weights, or the last parts of keys, whose units
            are never ablated, usually the classifier's: `("logits/kernel",)`.

    Errors are those of `Algorithm`.

    Reference: Lasby et al., "Dynamic Sparse Training with Structured
    Sparsity", ICLR 2024, arXiv:2305.02299, section 3.1. Its repository trims
    units to the fan-in by position, this implementation by magnitude.
    """

    name = "srigl"
    # Grows by the gradient, like RigL.
    requirements = Requirements(
        structures=("constant_fan_in",), dense_gradient_steps=1, skips_step=True
    )

    stop_step: StopStep = None
    update_interval: int = 100
    drop_fraction: float = 0.3
    start_step: int = 0
    decay: str | DropFraction = "cosine"
    ablation_threshold: float | None = 0.3
    never_ablate: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _ = self.drop_schedule
        object.__setattr__(self, "never_ablate", tuple(self.never_ablate))
        if self.ablation_threshold is not None:
            check_fraction(
                "ablation_threshold",
                self.ablation_threshold,
                "a fraction of the fan-in",
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

    def update(
        self, weights: Sequence[WeightView], when: StepInfo
    ) -> list[WeightUpdate]:
        """Drops, ablates units and grows, weight by weight."""
        return [
            WeightUpdate(self._update_one(weight, when)) for weight in weights
        ]

    def _update_one(self, weight: WeightView, when: StepInfo) -> MaskUpdate:
        """Computes the mask by the three steps described in `SRigL`."""
        rows = ConstantFanIn()
        values, mask, gradient = map(
            rows.to_rows, (weight.values, weight.mask, weight.gradient)
        )
        units, fan_in = mask.shape

        # 1. Kept connections and candidates for growth.
        nonzeros = selection.count_true(mask)
        count = self.drop_schedule.count(weight.mask, when.update)
        kept = selection.largest_mask(values, mask, nonzeros - count)
        salient = kept | selection.largest_mask(gradient, ~kept, count)

        # 2. Units with too few of both are ablated; the others share nnz.
        active = self._active_units(weight, mask, salient)
        number = selection.count_true(active)
        target = tf.minimum(
            tf.constant(weight.target, tf.int64) // number, fan_in
        )
        wanted = tf.where(active, target, tf.zeros([units], tf.int64))

        # 3. Units keep their largest connections and fill up by the gradient.
        kept &= active[:, tf.newaxis]
        kept = selection.largest_in_rows(
            values, kept, tf.minimum(selection.count_true_in_rows(kept), wanted)
        )
        grown = selection.largest_in_rows(
            gradient, ~kept, wanted - selection.count_true_in_rows(kept)
        )

        new = rows.from_rows(kept | grown, weight.mask.shape)
        return changed_if_finite(weight.mask, new, gradient)

    def _active_units(
        self, weight: WeightView, mask: tf.Tensor, salient: tf.Tensor
    ) -> tf.Tensor:
        """Returns which units are not ablated, bool [units]."""
        units, fan_in = mask.shape
        exempt = any(
            f"/{weight.key}".endswith(f"/{end}") for end in self.never_ablate
        )
        if self.ablation_threshold is None or exempt:
            return tf.ones([units], tf.bool)

        present = tf.reduce_max(selection.count_true_in_rows(mask))
        threshold = np.array([decimals.to_float64(self.ablation_threshold)])
        least = decimals.floor_fraction(threshold, 0, present)
        saliency = selection.count_true_in_rows(salient)
        stays = saliency >= tf.maximum(least, 1)

        # The best units stay as far as the target needs them at full fan-in.
        needed = min(units, -(-weight.target // fan_in))
        best = selection.largest_integers_mask(
            tf.cast(saliency, tf.int32), tf.constant(needed, tf.int64)
        )
        return stays | best
