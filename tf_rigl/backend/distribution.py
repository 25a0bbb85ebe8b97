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
