"""Steps that are taken or not, one replica's or all replicas'."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def run(step: Callable[[], Any]) -> tf.Tensor:
    """Takes a step; a branch of a conditional."""
    step()
    return nothing()


def nothing() -> tf.Tensor:
    """The value of a branch that is taken for its effects."""
    return tf.constant(0)


def conditionally_across_replicas(
    wanted: tf.Tensor, step: Callable[[], Any]
) -> None:
    """`tf.cond` around a step that itself leaves the replica context.

    Such a step must not be called within a conditional of one replica, so
    the conditional is placed outside of all replicas.
    """
    if tf.__internal__.distribute.strategy_supports_no_merge_call():
        tf.cond(wanted, lambda: run(step), nothing)
        return

    def across(strategy: tf.distribute.Strategy, wanted: Any) -> None:
        # Every replica has the same step and so the same answer.
        first = strategy.experimental_local_results(wanted)[0]
        tf.cond(
            first,
            lambda: run(lambda: strategy.extended.call_for_each_replica(step)),
            nothing,
        )

    tf.distribute.get_replica_context().merge_call(across, args=(wanted,))
