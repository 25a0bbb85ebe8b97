"""Masks of a model whose supermasks were trained: drawn, or of a threshold."""

import warnings
from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_rigl.algorithms import supermask
from tf_rigl.algorithms.requirements import FROZEN_VALUES
from tf_rigl.core import bernoulli
from tf_rigl.core import checks
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.masking.masked_weight import require_masked_weights
from tf_rigl.updating import training_warnings
from tf_rigl.updating.set_masks import set_masks


class Spread(NamedTuple):
    """A metric over several draws of the masks.

    Attributes:
        mean: the mean of `values`.
        deviation: their standard deviation, with n − 1 in the denominator; 0
            for a single draw.
        values: the metric of each draw.
    """

    mean: float
    deviation: float
    values: tuple[float, ...]

    def __str__(self) -> str:
        return f"{self.mean:.4g} ± {self.deviation:.2g}"


def sample_masks(model: Any, draw: int = 0, *, seed: int = 0) -> Any:
    """Draws masks by the odds that `Supermask` has trained.

    Values are those of the beginning, rescaled to the new mask if the odds were
    trained so. Training goes on as if nothing had been drawn but its first
    batch, which sees this draw.

    Args:
        model: a model of either Keras, trained by `Supermask`.
        draw: number of the draw, 0 <= draw < 2**31; each gives other masks, and
            the same number the same on every machine.
        seed: the seed of all draws, any 32-bit integer.

    Returns:
        The same model.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if no `Supermask` has trained the model, or `draw` is out of
            range.

    Example:
        >>> tf_rigl.sample_masks(model, draw=1).evaluate(data)
    """
    if not isinstance(draw, int) or not 0 <= draw < 2**31:
        raise ValueError(
            f"`draw` must be an integer in [0, 2**31). Received: draw={draw!r}."
        )
    for record, logits, rescales in _trained(model):
        # A key of its own: the draws of training have the weight's.
        key = f"{record.key}:sample"
        mask = bernoulli.draw(tf.convert_to_tensor(logits), seed, key, draw)
        record.set_mask(mask, _deployed(record, mask, rescales))
    return model


def threshold_masks(model: Any, at: float = 0.5) -> Any:
    """Gives each weight the connections of which the odds are above a bound.

    These are the masks to export or to train on with `Static`, for which the
    model needs a new optimizer: the present one has the momentum of logits.
    Each weight is allotted as many connections as it has then.

    Args:
        model: a model of either Keras, trained by `Supermask`.
        at: the probability above which a connection is kept, in (0, 1).

    Returns:
        The same model.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if no `Supermask` has trained the model, it is training it
            through `attach`, or `at` is out of range.

    Example:
        >>> tf_rigl.export_saved_model(tf_rigl.threshold_masks(model), "model")
    """
    if not 0 < at < 1:
        raise ValueError(
            "`at` must be a probability in (0, 1). "
            f"Received: at={at!r}. 0.5 keeps connections of more than even "
            "odds."
        )
    trained = _trained(model)
    masks = {
        record.path: bernoulli.threshold(logits.numpy(), at)
        for record, logits, _ in trained
    }

    set_masks(model, masks)
    for record, _, rescales in trained:
        record.set_values(_deployed(record, record.mask, rescales))
    empty = {path for path, mask in masks.items() if not mask.any()}
    if empty:
        training_warnings.warn_of_empty(empty)
    return model


def evaluate_samples(
    model: Any,
    evaluate: Callable[[Any], float],
    draws: int = 10,
    *,
    seed: int = 0,
) -> Spread:
    """Evaluates a supermask as the mean over several draws of its masks.

    The model has its masks and values back afterwards.

    Args:
        model: a model of either Keras, trained by `Supermask`.
        evaluate: a function of the model that returns a metric.
        draws: number of draws; the paper takes 10.
        seed: the seed of all draws, any 32-bit integer.

    Returns:
        The spread of the metric.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if no `Supermask` has trained the model, or `draws` is not
            positive.

    Example:
        >>> def accuracy(model):
        ...     return model.evaluate(data, return_dict=True)["accuracy"]
        >>> print(tf_rigl.evaluate_samples(model, accuracy))
        0.912 ± 0.0021
    """
    checks.check_positive("draws", draws)
    before = [
        (record, record.mask.numpy(), record.values().numpy())
        for record, *_ in _trained(model)
    ]
    try:
        values = tuple(
            float(evaluate(sample_masks(model, draw, seed=seed)))
            for draw in range(draws)
        )
    finally:
        for record, mask, kept in before:
            record.set_mask(mask, kept)

    deviation = np.std(values, ddof=1) if draws > 1 else 0.0
    return Spread(float(np.mean(values)), float(deviation), values)


def are_trained(model: Any) -> bool:
    """Returns whether the masks of a model are those of a `Supermask`."""
    return bool(_with_logits(masked_weights(model)))


def warn_of_draw(records: list[MaskedWeight]) -> None:
    """Warns if the masks of weights are those of one draw.

    A draw has another number of connections than the weight is allotted, which
    `threshold_masks` sets to what there is.
    """
    drawn = [
        record.path
        for record, *_ in _with_logits(records)
        if record.num_active() != record.target
    ]
    if drawn:
        warnings.warn(
            f"The masks of {drawn} are the last draw of a supermask. Call "
            "`tf_rigl.threshold_masks(model)` first for the connections of "
            "more than even odds, which are as good as the mean of draws.",
            stacklevel=1,
        )


def _with_logits(
    records: list[MaskedWeight],
) -> list[tuple[MaskedWeight, tf.Variable, bool]]:
    """Returns weights with their logits, and whether values are rescaled."""
    return [
        (record, record.state[name], name == supermask.RESCALED_LOGITS)
        for record in records
        for name in (supermask.LOGITS, supermask.RESCALED_LOGITS)
        if name in record.state
    ]


def _trained(model: Any) -> list[tuple[MaskedWeight, tf.Variable, bool]]:
    """Returns the weights that `Supermask` has trained, at least one."""
    found = _with_logits(require_masked_weights(model))
    if not found:
        raise ValueError(
            "The model must have been trained by `Supermask`. Received: "
            f"model={model.name!r}, whose weights have no logits. Train it "
            "with callbacks=[tf_rigl.UpdateMasks(tf_rigl.Supermask())]."
        )
    return found


def _deployed(record: MaskedWeight, mask: Any, rescales: bool) -> tf.Tensor:
    values = tf.convert_to_tensor(record.state[FROZEN_VALUES])
    return supermask.deployed_values(
        values, tf.convert_to_tensor(mask), rescales
    )
