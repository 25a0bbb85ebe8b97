"""Network slimming: training with an L1 penalty on the scales of channels."""

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tf_rigl.algorithms import algorithm
from tf_rigl.algorithms import pruning
from tf_rigl.algorithms import scales
from tf_rigl.algorithms.penalty import Penalty
from tf_rigl.algorithms.requirements import Requirements
from tf_rigl.core import checks
from tf_rigl.core.schedules import UpdateSchedule


@dataclasses.dataclass(frozen=True)
class ScaleL1(Penalty):
    """The term λ Σ|γ| over the scales of normalization layers.

    Its subgradient λ · sign(γ) is 0 at γ = 0.
    """

    strength: float  # λ

    def __post_init__(self) -> None:
        checks.check_at_least("strength", self.strength, 0)

    def groups(self, layers: Mapping[str, Any]) -> list[tuple[Any]]:
        """Returns the scale of each normalization layer by itself."""
        return [(scale,) for scale in scales.scales(layers).values()]

    def gradients(self, values: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Computes λ · sign(γ)."""
        return [tf.sign(value) * self.strength for value in values]


@dataclasses.dataclass(frozen=True)
class Slimming(algorithm.Algorithm):
    """Trains with an L1 penalty on scales, so that channels can be pruned.

    The loss becomes L + λ Σ|γ| over the scales γ of every BatchNormalization
    and GroupNormalization: in each step λ · sign(γ), 0 at 0, is added to the
    gradient of γ before the optimizer's own step, through momentum. Masks, if
    the model has any, stay as they are; a model that `sparsify` has not seen
    can be trained, too. A normalization without a scale is named in a warning.

    Afterwards `tf_rigl.prune(model, "magnitude", scope="global")` removes the
    channels of smallest |γ| from a model that was prepared by
    `sparsify(model, 0.7, weights="scales", start="dense")`. With `step` this
    happens during training, the rest of which fine-tunes with the penalty on
    the channels that are left.

    Attributes:
        strength: λ, at least 0; 1e-4 for VGG, 1e-5 for ResNets and DenseNets
            in the paper.
        step: the optimizer step after which the scales are pruned, from 0,
            over all layers to the number that `sparsify` allotted, but to no
            less than one a layer; None for no pruning.

    Raises:
        ValueError: if `strength` is negative; when training begins, if the
            model has no scales. Others are those of `Algorithm`.

    Reference: Liu et al., "Learning Efficient Convolutional Networks through
    Network Slimming", ICCV 2017, arXiv:1708.06519, equation 1.

    Example:
        >>> model = tf_rigl.sparsify(
        ...     model, 0.7, weights="scales", start="dense"
        ... )
        >>> callback = tf_rigl.UpdateMasks(tf_rigl.Slimming(strength=1e-4))
        >>> model.fit(x, y, callbacks=[callback])
        >>> tf_rigl.prune(model, "magnitude", scope="global")
    """

    name = "slimming"

    strength: float = 1e-4
    step: int | None = None

    def __post_init__(self) -> None:
        _ = self.penalties, self.mask_schedule

    @property
    def requirements(self) -> Requirements:
        """Starts dense if it prunes."""
        if self.step is None:
            return Requirements(start="any")
        return pruning.requirements("global", prunes_during_training=True)

    @property
    def mask_schedule(self) -> UpdateSchedule | None:
        """Updates once, at `step`."""
        if self.step is None:
            return None
        return UpdateSchedule(self.step, self.step + 1, 1)

    @property
    def penalties(self) -> tuple[Penalty]:
        """The penalty on the scales."""
        return (ScaleL1(self.strength),)

    def update(
        self, weights: Sequence[algorithm.WeightView], when: algorithm.StepInfo
    ) -> list[algorithm.WeightUpdate]:
        """Prunes to the target over all layers."""
        del when
        return pruning.keep_largest(weights, scope="global")

    def pruned_fraction(self, total_steps: int) -> float:
        """Returns `pruning.pruned_fraction` for `total_steps` of training."""
        if self.mask_schedule is None:
            return 1.0
        return pruning.pruned_fraction(self.mask_schedule, total_steps, float)
