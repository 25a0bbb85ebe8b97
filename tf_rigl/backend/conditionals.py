"""Steps that are taken or not, one replica's or all replicas'."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def as_branch(step: Callable[[], Any]) -> tf.Tensor:
    """Takes a step as a branch of a conditional, which returns a value."""
    step()
    return no_op()


def no_op() -> tf.Tensor:
    """Returns the value of a branch that is taken for its effects."""
    return tf.constant(0)


def conditionally_across_replicas(
    wanted: tf.Tensor, step: Callable[[], Any]
) -> None:
    """Places `tf.cond` around a step that leaves the replica context.

    Such a step must not be called within a conditional of one replica, so
    the conditional is placed outside of all replicas.
    """
    if tf.__internal__.distribute.strategy_supports_no_merge_call():
        tf.cond(wanted, lambda: as_branch(step), no_op)
        return

    def across(strategy: tf.distribute.Strategy, wanted: Any) -> None:
        # Every replica has the same step and so the same answer.
        first = strategy.experimental_local_results(wanted)[0]
        tf.cond(
            first,
            lambda: as_branch(
                lambda: strategy.extended.call_for_each_replica(step)
            ),
            no_op,
        )

    tf.distribute.get_replica_context().merge_call(across, args=(wanted,))
