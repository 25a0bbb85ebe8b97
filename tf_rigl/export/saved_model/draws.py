"""Finds how the values of masked weights were drawn, to store a seed instead.

A method that trains masks leaves a weight with the values that it had at the
beginning, times one factor where it rescales. Nothing is taken on trust: the
bits of all active values are compared.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import numpy as np

from tf_rigl.core.dice import roll
from tf_rigl.core.packing import seeded
from tf_rigl.masking.model_weights import ModelWeight

# A quotient of two rounded floats is off by no more units in the last place.
_ULPS = 2
_OTHERWISE = "Or pass values='float32'."


def check_masked(model: Any, weights: Iterable[ModelWeight]) -> None:
    """Raises a ValueError if a model has no masked weights."""
    if all(weight.record is None for weight in weights):
        raise ValueError(
            "values='seed' stores the masks of a model and how its masked "
            f"weights were drawn. Received: model={model.name!r}, which has "
            "no masks. Call `tf_rigl.sparsify` and `tf_rigl.reinitialize` "
            f"first. {_OTHERWISE}"
        )


def find_draw(weight: ModelWeight, array: np.ndarray) -> seeded.Draw:
    """Returns how the values of a masked weight come about.

    Args:
        weight: a weight with a mask.
        array: its values.

    Raises:
        ValueError: if it is not known how they were drawn, or they have changed
            in any other way than by one factor.
    """
    record = weight.record
    dice = None if record is None else record.dice
    if record is None or dice is None:
        raise ValueError(
            "values='seed' needs values that a seed determines bit for bit, "
            "which the initializers of Keras do not promise. Received: "
            f"{weight.path!r}, of which no seed is known. Call "
            "`tf_rigl.reinitialize(model, 'signed_kaiming', seed=0)` before "
            "its mask is trained; 'kaiming_normal' and 'glorot_normal' do as "
            f"well. {_OTHERWISE}"
        )

    mask = record.mask.numpy()
    kept = array[mask]
    drawn = roll(dice, array.shape).numpy()[mask].astype(array.dtype)
    least = kept.size
    for factor in _factors(kept, drawn):
        different = _count_different(kept, drawn * factor)
        if not different:
            return seeded.Draw(dice, float(factor))
        least = min(least, different)

    raise ValueError(
        "values='seed' needs masked weights with the values that they were "
        f"drawn with, times one factor. Received: {weight.path!r}, of which "
        f"{least:,} of {kept.size:,} active values have changed: it was "
        "trained, or set. Train the masks only, from `tf_rigl.reinitialize` "
        f"on. {_OTHERWISE}"
    )


def _factors(kept: np.ndarray, drawn: np.ndarray) -> Iterator[Any]:
    """Yields factors, in the dtype of the values, of which one must fit."""
    yield drawn.dtype.type(1)
    if not kept.size:
        return

    # Of the largest magnitude: others may be zero.
    index = np.argmax(np.abs(drawn.astype(np.float64)))
    with np.errstate(all="ignore"):
        quotient = kept[index] / drawn[index]
    if not np.isfinite(quotient) or quotient == 0:
        return
    for ulps in range(-_ULPS, _ULPS + 1):
        yield (_bits(quotient) + ulps).view(drawn.dtype)[()]


def _count_different(first: np.ndarray, second: np.ndarray) -> int:
    return int(np.count_nonzero(_bits(first) != _bits(second)))


def _bits(values: Any) -> np.ndarray:
    """Returns the bits of floats as integers, in which 0 and -0 differ."""
    values = np.asarray(values)
    return values.view(f"i{values.itemsize}")
