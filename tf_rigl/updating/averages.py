"""Moving averages (`use_ema`) of weights of which some positions rest."""

from typing import Any

import tensorflow as tf

from tf_rigl.algorithms import Algorithm
from tf_rigl.backend import distribution
from tf_rigl.backend.flavor import Flavor
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.storage import assign_unguarded
from tf_rigl.masking.storage import masked
from tf_rigl.updating import slots
from tf_rigl.updating.mask_update import StepWeight


def settle(
    flavor: Flavor,
    optimizer: Any,
    algorithm: Algorithm,
    records: list[MaskedWeight],
) -> None:
    """Sets averages of positions that a method does not train to their values.

    Keras averages after the step and may then write averages to the weights.
    Of a value v that rests it gets m · v + (1 - m) · v, which rounding takes
    off v by the last bit. Called in the replica context, after both.
    """
    averages = {
        record.path: list(slots.average_of(flavor, optimizer, record))
        for record in records
    }
    records = [record for record in records if averages[record.path]]
    if not records:
        return

    def settle_one(record: MaskedWeight, variable: Any) -> None:
        gradient = tf.zeros(record.shape, record.dtype)
        weight = StepWeight(record, variable, gradient)
        view = weight.as_view()
        trainable = algorithm.trainable_mask(view)
        if trainable is None:
            return

        trainable = record.unview(trainable)
        latent = weight.latent(algorithm, view, weight.all_values())
        rests = weight.deployed(algorithm, view, weight.mask, latent)
        rests = masked(rests, weight.mask)
        values = weight.storage.values()
        weight.storage.set_values(tf.where(trainable, values, rests))
        for average in averages[record.path]:
            kept = tf.convert_to_tensor(average)
            assign_unguarded(average, tf.where(trainable, kept, rests))

    def settle_all(strategy: tf.distribute.Strategy) -> None:
        for record in records:
            strategy.extended.update(
                record.storage.variable,
                lambda variable, record=record: settle_one(record, variable),
                group=False,
            )

    strategy = distribution.strategy_of(
        record.storage.variable for record in records
    )
    tf.__internal__.distribute.interim.maybe_merge_call(settle_all, strategy)
