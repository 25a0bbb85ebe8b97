"""Methods that train something else in place of the weights, at their start."""

from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.algorithms import Algorithm
from tf_rigl.algorithms import StepInfo
from tf_rigl.backend.flavor import Flavor
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.updating.mask_update import StepWeight
from tf_rigl.updating.mask_update import overrides

# Compilers may multiply by a reciprocal where another divides.
_TOLERANCE = 1e-4


def begin(records: list[MaskedWeight], algorithm: Algorithm) -> None:
    """Fills the state of a dense model and selects its first masks, eagerly.

    A model that is resumed has masks already; its values must then be those
    that the method's state deploys.

    Raises:
        ValueError: if the values have been changed since, or come from another
            method.
    """
    has_begun = any(record.counters.numpy()[0] for record in records)
    has_masks = not all(np.all(record.mask.numpy()) for record in records)
    if has_begun or has_masks:
        _check_deployed(records, algorithm)
        return

    weights = [StepWeight.without_gradient(record) for record in records]
    for weight in weights:
        _fill_state(weight, algorithm)

    whole_model = algorithm.requirements.whole_model
    for group in [weights] if whole_model else [[one] for one in weights]:
        _select(group, algorithm)


def check_optimizer(
    flavor: Flavor, optimizer: Any, algorithm: Algorithm
) -> None:
    """Checks that an optimizer changes weights by `update_step` alone.

    Decay and moving averages would be those of the weights, which a method that
    deploys values of its own does not train.

    Raises:
        ValueError: if it has decoupled weight decay, or a moving average.
    """
    if not overrides(algorithm, "deployed"):
        return

    for one in flavor.updating_optimizers(optimizer):
        received = {
            name: getattr(one, name, None)
            for name in ("weight_decay", "use_ema")
        }
        found = [
            f"{name}={value!r}" for name, value in received.items() if value
        ]
        if found:
            raise ValueError(
                f"{type(algorithm).__name__} trains other values in place of "
                "the weights, which an optimizer must not change besides. "
                f"Received: {' and '.join(found)} of optimizer {one.name!r}. "
                "Pass weight_decay=None and use_ema=False to it."
            )


def _fill_state(weight: StepWeight, algorithm: Algorithm) -> None:
    """Sets the state to that before training, latent values included."""
    record = weight.record
    initial = algorithm.initial_state(weight.as_view())
    for name, value in initial.items():
        record.state[name].assign(record.unview(value))

    values = weight.latent(algorithm, weight.as_view(), record.values())
    record.state[str(algorithm.requirements.latent)].assign(values)


def _select(weights: list[StepWeight], algorithm: Algorithm) -> None:
    """Selects the first masks of weights that are ranked together."""
    zero = tf.constant(0, tf.int64)
    # No update of the schedule, which begins with the first step.
    start = StepInfo(update=tf.constant(-1, tf.int64), step=zero, time=zero)
    views = [weight.as_view() for weight in weights]
    results = algorithm.update(views, start)

    for weight, view, result in zip(weights, views, results, strict=True):
        record = weight.record
        latent = weight.latent(algorithm, view, weight.all_values())
        mask = record.unview(result.masks.mask)
        record.set_mask(mask, weight.deployed(algorithm, view, mask, latent))
        for name, value in result.state.items():
            record.state[name].assign(record.unview(value))


def _check_deployed(records: list[MaskedWeight], algorithm: Algorithm) -> None:
    """Raises a ValueError unless weights hold what the state deploys."""
    if not overrides(algorithm, "deployed"):
        return

    for record in records:
        weight = StepWeight.without_gradient(record)
        view = weight.as_view()
        latent = weight.latent(algorithm, view, weight.all_values())
        deployed = weight.deployed(algorithm, view, weight.mask, latent)
        expected = np.where(record.mask.numpy(), np.array(deployed), 0)
        found = np.array(record.values())
        if not np.allclose(found, expected, rtol=_TOLERANCE, atol=0):
            raise ValueError(
                f"{type(algorithm).__name__} goes on with the weights that it "
                "has begun with, all of them dense. Received: "
                f"{record.path!r}, which was sparse before, trained by another "
                "method, or changed since. To begin anew, `strip` the model "
                "and sparsify it with start='dense'."
            )
