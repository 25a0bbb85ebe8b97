"""The guard that skips and counts steps with non-finite gradients."""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tf_rigl.backend.distribution import make_counter


class NonFiniteGuard:
    """Skips steps with a gradient that is not finite.

    `check` raises after `limit` skipped steps in a row. The counters belong to
    `strategy`, that of the optimizer's variables.
    """

    def __init__(self, limit: int, strategy: tf.distribute.Strategy) -> None:
        self._limit = limit
        # The number of all skipped steps, and of the latest ones in a row.
        self._counts = make_counter(strategy, (2,))

    def run(
        self, gradients: Sequence[Any], step: Callable[[], tf.Tensor]
    ) -> None:
        """Runs `step` if all gradients, tensors or slices, are finite."""
        finite = tf.reduce_all(
            tf.stack([tf.reduce_all(_is_finite(one)) for one in gradients])
        )
        counts = tf.convert_to_tensor(self._counts)
        left_out = tf.cast(~finite, tf.int64)
        in_a_row = tf.where(finite, tf.zeros_like(counts[1]), counts[1] + 1)
        # Several steps may pass before `check` is called, so a count that has
        # reached the limit must not be reset.
        in_a_row = tf.where(counts[1] >= self._limit, counts[1], in_a_row)
        self._counts.assign(tf.stack([counts[0] + left_out, in_a_row]))
        tf.cond(finite, step, lambda: tf.constant(0))

    def reset(self) -> None:
        """Sets both counts to zero."""
        self._counts.assign(tf.zeros_like(self._counts))

    @property
    def left_out(self) -> int:
        """Number of steps that were skipped so far."""
        return int(self._counts.numpy()[0])

    def check(self) -> None:
        """Raises a FloatingPointError after too many skipped steps in a row."""
        if int(self._counts.numpy()[1]) >= self._limit:
            raise FloatingPointError(
                f"The gradients of {self._limit} steps in a row were not "
                "finite. These steps were left out, so weights and masks are "
                "as before. Lower the learning rate, look for bad examples, or "
                "raise `max_non_finite_steps`."
            )


def _is_finite(gradient: Any) -> tf.Tensor:
    if isinstance(gradient, tf.IndexedSlices):
        gradient = gradient.values
    return tf.math.is_finite(gradient)
