"""Helpers for variables under distribution strategies."""

from collections.abc import Iterable

import tensorflow as tf


def strategy_of(variables: Iterable[tf.Variable]) -> tf.distribute.Strategy:
    """Returns the strategy that created the variables, or the current one.

    Variables without a strategy are skipped.
    """
    for variable in variables:
        strategy = getattr(variable, "distribute_strategy", None)
        if strategy is not None:
            return strategy
    return tf.distribute.get_strategy()


def make_counter(
    strategy: tf.distribute.Strategy, shape: tuple[int, ...] = ()
) -> tf.Variable:
    """Creates an int64 variable of zeros that is the same on all replicas."""
    with strategy.scope(), tf.init_scope():
        return tf.Variable(
            tf.zeros(shape, tf.int64),
            trainable=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
