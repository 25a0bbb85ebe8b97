"""Supermasks: random masks whose probabilities are trained."""

import dataclasses
import math
from collections.abc import Mapping
from collections.abc import Sequence

import tensorflow as tf

from tf_rigl.algorithms import algorithm
from tf_rigl.algorithms.requirements import FROZEN_VALUES
from tf_rigl.algorithms.requirements import Requirements
from tf_rigl.algorithms.schedule import MaskSchedule
from tf_rigl.core import bernoulli
from tf_rigl.core.drop_and_grow import changed

# The name of the logits says whether they were trained with rescaling, for
# those who draw masks from a model alone.
LOGITS, RESCALED_LOGITS = "mask_logits", "rescaled_mask_logits"


@dataclasses.dataclass(frozen=True)
class Supermask(algorithm.Algorithm):
    """Trains the probability with which each connection is there.

    Training must begin dense: `sparsify(..., start="dense")`. Each weight keeps
    the values w that it begins with, and each of its positions has a logit s,
    which the optimizer trains in its place. After every step a mask is drawn,
    in which a position is active with probability σ(s); the gradient passes the
    draw: ∂L/∂s = ∂L/∂w · w · σ(s) (1 − σ(s)). `sample_masks` draws others,
    `threshold_masks` keeps the connections of more than even odds.

    The number of connections is not fixed. It begins near the number that
    `sparsify` allotted, which for a sparsity of 0.5 is the paper's s = 0, and
    moves with training. Weights that are allotted all of their connections take
    no part. Gradients of s are small, so learning rates are large: 100 for SGD
    in the paper.

    Logits and frozen values take as many bytes as the weight each; `strip`
    removes them. An optimizer with decoupled weight decay or a moving average
    of the weights is refused, and gradients are clipped before they become
    those of logits.

    Attributes:
        initial_logit: s before the first step; by default, for each weight,
            that of its allotted density.
        rescale: whether values are multiplied by the weight's number of
            elements over its number of connections in the draw, the paper's
            dynamic weight rescaling.
        train_others: whether biases, normalization and dense weights are
            trained as usual. By default they stay as they are, as in the paper,
            but for moving averages.
        seed: seed of the draws, any 32-bit integer.

    Errors are those of `Algorithm`.

    Reference: Zhou et al., "Deconstructing Lottery Tickets", NeurIPS 2019,
    arXiv:1905.01067, section 5.
    """

    name = "supermask"
    mask_schedule = MaskSchedule.regular(1)

    initial_logit: float | None = None
    rescale: bool = False
    train_others: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        logit = self.initial_logit
        if logit is not None and not math.isfinite(logit):
            raise ValueError(
                "`initial_logit` must be a finite number. Received: "
                f"initial_logit={logit!r}. 0 is a probability of one half."
            )

    @property
    def requirements(self) -> Requirements:
        """Trains logits of all positions, of single ones."""
        return Requirements(
            start="dense",
            structures=("unstructured",),
            dense_gradient_steps="all",
            latent=self._logits,
            freezes_others=not self.train_others,
        )

    @property
    def state(self) -> dict[str, tf.DType | None]:
        """The logits, and the values of the beginning."""
        return {self._logits: None, FROZEN_VALUES: None}

    def initial_state(
        self, weight: algorithm.WeightView
    ) -> Mapping[str, tf.Tensor]:
        """Returns equal logits, and keeps the values."""
        logit = self.initial_logit
        if logit is None:
            logit = _logit_of_share(weight.target, weight.values.shape)
        return {
            self._logits: tf.fill(
                weight.values.shape, tf.constant(logit, weight.values.dtype)
            ),
            FROZEN_VALUES: weight.values,
        }

    def latent(self, weight: algorithm.WeightView) -> tf.Tensor:
        """Returns the logits."""
        return weight.state[self._logits]

    def deployed(
        self, weight: algorithm.WeightView, latent: tf.Tensor
    ) -> tf.Tensor:
        """Returns the values of the beginning, rescaled to the mask or not."""
        del latent
        return deployed_values(
            weight.state[FROZEN_VALUES], weight.mask, self.rescale
        )

    def step_gradient(self, weight: algorithm.WeightView) -> tf.Tensor:
        """Returns the gradient of the logits."""
        probability = tf.sigmoid(weight.state[self._logits])
        slope = probability * (1 - probability)
        values = self.deployed(weight, slope)
        return weight.gradient * values * slope

    def update(
        self, weights: Sequence[algorithm.WeightView], when: algorithm.StepInfo
    ) -> list[algorithm.WeightUpdate]:
        """Draws new masks."""
        # The draw before the first step has a number of its own.
        number = when.step + tf.cast(when.update >= 0, tf.int64)
        masks = [
            bernoulli.draw(
                weight.state[self._logits], self.seed, weight.key, number
            )
            for weight in weights
        ]
        return [
            algorithm.WeightUpdate(changed(weight.mask, mask))
            for weight, mask in zip(weights, masks, strict=True)
        ]

    @property
    def _logits(self) -> str:
        return RESCALED_LOGITS if self.rescale else LOGITS


def deployed_values(
    values: tf.Tensor, mask: tf.Tensor, rescale: bool
) -> tf.Tensor:
    """Returns the values that a weight holds under a mask, outside it, too.

    Args:
        values: float tensor, the values of the beginning.
        mask: bool tensor of the same shape.
        rescale: whether to multiply by elements / connections.
    """
    if not rescale:
        return values
    connections = tf.maximum(tf.math.count_nonzero(mask, dtype=tf.int32), 1)
    size = values.shape.num_elements()
    factor = tf.constant(size, tf.float32) / tf.cast(connections, tf.float32)
    return values * tf.cast(factor, values.dtype)


def _logit_of_share(count: int, shape: tf.TensorShape) -> float:
    """Returns the logit of a share, half an element off 0 and 1 at least."""
    size = shape.num_elements()
    count = min(max(count, 0.5), size - 0.5)
    return math.log(count / (size - count))
