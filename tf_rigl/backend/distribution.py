"""Helpers for variables under distribution strategies."""

import contextlib
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from tensorflow.python.ops import resource_variable_ops
from tensorflow.python.saved_model import save_context


def strategy_of(variables: Iterable[tf.Variable]) -> tf.distribute.Strategy:
    """Returns the strategy that created the variables, or the current one.

    Variables without a strategy are skipped.
    """
    for variable in variables:
        if is_distributed(variable):
            return variable.distribute_strategy
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


def is_distributed(variable: Any) -> bool:
    """Returns whether a variable was made under a strategy."""
    return getattr(variable, "distribute_strategy", None) is not None


def components(variable: Any) -> tuple[tf.Variable, ...]:
    """Returns the components of a variable on this worker's replicas.

    A variable of no strategy is its own only component.
    """
    return tuple(getattr(variable, "values", (variable,)))


def whole(variable: Any) -> Any:
    """Returns the variable of a strategy to which a component belongs.

    A variable that is no replica's component is returned as it is.
    """
    for owned in (variable, variable.handle):
        # TensorFlow has no public way from a component to its variable.
        container = getattr(owned, "_distributed_container", None)
        if container is not None and container() is not None:
            return container()
    return variable


def plain_variable(value: Any, trainable: bool, name: str) -> tf.Variable:
    """Makes a variable of no strategy, within a strategy's scope, too.

    There `tf.Variable` is whatever the strategy makes of it.
    """
    return resource_variable_ops.ResourceVariable(
        value, trainable=trainable, name=name
    )


@contextlib.contextmanager
def reading_one_component(variables: Iterable[Any]) -> Iterator[None]:
    """Makes functions that are traced now read one component of a variable.

    So TensorFlow itself traces what it saves. Otherwise reading an average
    over replicas, of BatchNormalization for instance, puts a sum over all
    workers into the graph, which nothing outside of the strategy can run.
    Nothing changes if none of the variables is a strategy's.
    """
    if not any(map(is_distributed, variables)):
        yield
        return
    with save_context.save_context(tf.saved_model.SaveOptions()):
        yield
