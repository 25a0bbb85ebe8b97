"""Replicas on which variables are."""

from collections.abc import Iterable

import tensorflow as tf


def strategy_of(variables: Iterable[tf.Variable]) -> tf.distribute.Strategy:
    """Returns the strategy under which variables were made, else the present.

    Variables of no strategy are passed over.
    """
    for variable in variables:
        strategy = getattr(variable, "distribute_strategy", None)
        if strategy is not None:
            return strategy
    return tf.distribute.get_strategy()


def make_counter(
    strategy: tf.distribute.Strategy, shape: tuple[int, ...] = ()
) -> tf.Variable:
    """Makes an int64 variable of zeros, the same on all replicas."""
    with strategy.scope(), tf.init_scope():
        return tf.Variable(
            tf.zeros(shape, tf.int64),
            trainable=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
