"""The step of a method that trains latent values in place of a weight."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_rigl.algorithms import Algorithm
from tf_rigl.masking.storage import masked
from tf_rigl.updating.mask_update import StepWeight


def take(
    weight: StepWeight,
    state: str,
    algorithm: Algorithm,
    own_step: Callable[[tf.Tensor], None],
    mask_slots: Callable[[Any], None],
) -> None:
    """Trains the latent values, which the method's state keeps.

    Args:
        weight: the weight. The optimizer was built for its variable, so that
            holds the latent values during the step and the deployed values
            after it.
        state: name of the state with the latent values.
        algorithm: the method, which has a gradient of its own.
        own_step: takes the optimizer's own step, given the gradient.
        mask_slots: zeroes the weight's slots where a mask is false.
    """
    record = weight.record
    view = weight.as_view()
    before = weight.latent(algorithm, view, weight.all_values())
    trainable = algorithm.trainable_mask(view)
    gradient = algorithm.step_gradient(view)
    if trainable is not None:
        gradient = masked(gradient, trainable)

    weight.variable.assign(before)
    own_step(record.unview(gradient))
    after = tf.convert_to_tensor(weight.variable)
    if trainable is not None:
        trainable = record.unview(trainable)
        after = tf.where(trainable, after, before)
        mask_slots(trainable)

    record.state[state].assign(after)
    values = weight.deployed(algorithm, view, weight.mask, after)
    weight.storage.set_values(values)
