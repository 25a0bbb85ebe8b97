"""Edge-popup: scores that are trained while the weights stay random."""

import dataclasses
import math
from collections.abc import Mapping
from collections.abc import Sequence

import tensorflow as tf

from tf_rigl.algorithms import algorithm
from tf_rigl.algorithms import pruning
from tf_rigl.algorithms.requirements import FROZEN_VALUES
from tf_rigl.algorithms.requirements import Requirements
from tf_rigl.algorithms.schedule import MaskSchedule
from tf_rigl.core import random_masks
from tf_rigl.core.checks import check_at_least

_SCORES = "scores"


@dataclasses.dataclass(frozen=True)
class EdgePopup(algorithm.Algorithm):
    """Edge-popup: finds a subnetwork of a network that is never trained.

    Training must begin dense: `sparsify(..., start="dense")`. Each weight keeps
    the values that it begins with, and each of its positions has a score s,
    which the optimizer trains in its place by the gradient
    ∂L/∂s = ∂L/∂w · w · sign(s), straight through the selection. After every
    step the positions of largest |s| are active, as many in each weight as
    `sparsify` allotted to it. Values of `tf_rigl.reinitialize(model,
    "signed_kaiming")` suit it best.

    Scores and frozen values take as many bytes as the weight each; `strip`
    removes them. An optimizer with decoupled weight decay or a moving average
    of the weights is refused, and gradients are clipped before they become
    those of scores.

    Deviations from the authors' code: `sparsify` decides which weights are
    masked and how sparse each is, where theirs masks all of them equally; the
    fraction kept is written as a sparsity.

    Attributes:
        weight_decay: λ of the gradient's term λ · s, at least 0; the authors
            use 1e-4.
        train_others: whether biases, normalization and dense weights are
            trained as usual. By default they stay as they are, as in the paper,
            but for moving averages.
        seed: seed of the initial scores, which are uniform in
            ±1 / √(fan-in), any 32-bit integer.

    Errors are those of `Algorithm`.

    Reference: Ramanujan et al., "What's Hidden in a Randomly Weighted Neural
    Network?", CVPR 2020, arXiv:1911.13299, section 3.
    """

    name = "edge_popup"
    mask_schedule = MaskSchedule.regular(1)

    weight_decay: float = 0.0
    train_others: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        check_at_least("weight_decay", self.weight_decay, 0)

    @property
    def requirements(self) -> Requirements:
        """Trains scores of all positions."""
        return pruning.requirements(
            dense_gradient_steps="all",
            latent=_SCORES,
            freezes_others=not self.train_others,
        )

    @property
    def state(self) -> dict[str, tf.DType | None]:
        """The scores, and the values of the beginning."""
        return {_SCORES: None, FROZEN_VALUES: None}

    def initial_state(
        self, weight: algorithm.WeightView
    ) -> Mapping[str, tf.Tensor]:
        """Draws the scores, and keeps the values."""
        seed = random_masks.stateless_seed(self.seed, weight.key)
        scores = random_masks.random_uniform(weight.values.shape, seed)
        scores = tf.cast(scores, weight.values.dtype)
        return {
            _SCORES: scores / math.sqrt(weight.fan_in),
            FROZEN_VALUES: weight.values,
        }

    def latent(self, weight: algorithm.WeightView) -> tf.Tensor:
        """Returns the scores."""
        return weight.state[_SCORES]

    def deployed(
        self, weight: algorithm.WeightView, latent: tf.Tensor
    ) -> tf.Tensor:
        """Returns the values of the beginning."""
        del latent
        return weight.state[FROZEN_VALUES]

    def step_gradient(self, weight: algorithm.WeightView) -> tf.Tensor:
        """Returns the gradient of the scores (equation 5)."""
        scores = weight.state[_SCORES]
        gradient = (
            weight.gradient * weight.state[FROZEN_VALUES] * tf.sign(scores)
        )
        if not self.weight_decay:
            return gradient
        return gradient + self.weight_decay * scores

    def update(
        self, weights: Sequence[algorithm.WeightView], when: algorithm.StepInfo
    ) -> list[algorithm.WeightUpdate]:
        """Selects the largest scores again."""
        del when
        scores = [weight.state[_SCORES] for weight in weights]
        return pruning.keep_largest(weights, scores, allow_regrowth=True)
