"""Conditional execution of steps, within one replica or across all."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def as_branch(step: Callable[[], Any]) -> tf.Tensor:
    """Runs a step and returns the value that a branch of `tf.cond` needs."""
    step()
    return no_op()


def no_op() -> tf.Tensor:
    """Returns the same value as `as_branch` without running anything."""
    return tf.constant(0)


def conditionally_across_replicas(
    wanted: tf.Tensor, step: Callable[[], Any]
) -> None:
    """Runs a step that leaves the replica context if `wanted` is true.

    Such a step must not be called inside a conditional of one replica, so the
    `tf.cond` is placed outside of all replicas.
    """
    if tf.__internal__.distribute.strategy_supports_no_merge_call():
        tf.cond(wanted, lambda: as_branch(step), no_op)
        return

    def across(strategy: tf.distribute.Strategy, wanted: Any) -> None:
        # All replicas are at the same step, so `wanted` is equal on all.
        first = strategy.experimental_local_results(wanted)[0]
        tf.cond(
            first,
            lambda: as_branch(
                lambda: strategy.extended.call_for_each_replica(step)
            ),
            no_op,
        )

    tf.distribute.get_replica_context().merge_call(across, args=(wanted,))
