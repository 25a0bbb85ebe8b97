"""Schedules of mask updates and of the number of connections they move."""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.core import decimals
from tf_rigl.core.checks import check_at_least
from tf_rigl.core.checks import check_integer

# A stop beyond the end of any training that still fits into int64.
FOREVER = 2**62

# Bound on the relative error of a computed fraction; 1 - t / T loses some bits.
_ERROR = 2**-48

DropFraction = Callable[[float, float], float]


def cosine(alpha: float, progress: float) -> float:
    """Returns α/2 · (1 + cos(π · progress)); RigL, equation 1."""
    return alpha / 2 * (1 + math.cos(math.pi * progress))


def constant(alpha: float, progress: float) -> float:
    """Returns α at every step; RigL, appendix on annealing schedules."""
    del progress
    return alpha


def linear(alpha: float, progress: float) -> float:
    """Returns α · (1 - progress), the inverse power with k = 1."""
    return inverse_power(alpha, progress, 1.0)


def inverse_power(alpha: float, progress: float, power: float = 3.0) -> float:
    """Returns α · (1 - progress)^k; RigL, appendix on annealing schedules."""
    return alpha * (1 - progress) ** power


DECAYS: dict[str, DropFraction] = {
    "cosine": cosine,
    "constant": constant,
    "linear": linear,
    "inverse_power": inverse_power,
}


@dataclasses.dataclass(frozen=True)
class UpdateSchedule:
    """The steps at which masks are updated.

    Steps are optimizer updates, counted from 0; under gradient accumulation one
    step covers several batches. By default step t updates the masks if
    `start_step <= t < stop_step` and `(t - start_step) % interval == 0`.

    Attributes:
        start_step: first step that may update the masks, in optimizer steps.
        stop_step: end of the updates, exclusive, in optimizer steps.
        interval: optimizer steps between two updates (ΔT in the paper).
        update_at_start: whether `start_step` itself is an update step; if
            false, the first update is at `start_step + interval`.
        include_stop: whether `stop_step` itself may be an update step.
        updates_advance_step: whether a batch that updates the masks advances t.
            False follows the TF1 reference repository, in which such a batch
            does not advance the global step, so each update consumes one extra
            batch.
    """

    start_step: int
    stop_step: int
    interval: int
    update_at_start: bool = True
    include_stop: bool = False
    updates_advance_step: bool = True

    def __post_init__(self) -> None:
        for name, value in (
            ("start_step", self.start_step),
            ("stop_step", self.stop_step),
            ("update_interval", self.interval),
        ):
            check_integer(name, value, "a number of optimizer steps")

        check_at_least(
            "start_step", self.start_step, 0, unit=" optimizer steps"
        )
        if self.stop_step < self.start_step:
            raise ValueError(
                "`stop_step` must not be before `start_step`. Received: "
                f"start_step={self.start_step}, stop_step={self.stop_step}. "
                "Train longer, or pass an earlier `start_step`."
            )
        check_at_least(
            "update_interval", self.interval, 1, unit=" optimizer step"
        )

    @property
    def num_updates(self) -> int:
        """Number of updates in the whole schedule."""
        span = self.stop_step - self.start_step + int(self.include_stop)
        return max(0, -(-span // self.interval) - self._first)

    @property
    def _first(self) -> int:
        return 0 if self.update_at_start else 1

    @property
    def _period(self) -> int:
        """Number of batches from one update to the next."""
        return self.interval + (0 if self.updates_advance_step else 1)

    @property
    def _offset(self) -> int:
        """Index of the batch of the first update."""
        return self.start_step + self._first * self.interval

    def time_of_update(self, update: Any) -> Any:
        """Returns the steps t of updates, numbered from 0: an int or array."""
        return self._offset + update * self.interval

    def update_index(self, step: tf.Tensor) -> tf.Tensor:
        """Returns the index of this step's update, -1 if none: int64 scalar.

        `step` is the optimizer's int64 counter, which also counts mask updates.
        """
        since = tf.cast(step, tf.int64) - self._offset
        none = tf.constant(-1, tf.int64)
        return tf.where(self.is_due(step), since // self._period, none)

    def is_due(self, step: tf.Tensor) -> tf.Tensor:
        """Returns whether this step updates the masks, using few operations."""
        step = tf.cast(step, tf.int64)
        end = self._offset + self.num_updates * self._period
        on_time = tf.equal((step - self._offset) % self._period, 0)
        due = on_time & (step < min(end, tf.int64.max))
        return due & (step >= self._offset) if self._offset else due

    def steps_until_update(self, step: tf.Tensor) -> tf.Tensor:
        """Returns the number of steps until the next update, 0 at an update.

        After the last update, it counts as if updates continued forever.
        """
        since = tf.cast(step, tf.int64) - self._offset
        return tf.where(since < 0, -since, -since % self._period)

    def is_near_update(self, step: tf.Tensor, steps: int) -> tf.Tensor:
        """Returns whether this step is among the last `steps` to an update."""
        until = self.steps_until_update(step)
        return (until < steps) & self.is_due(tf.cast(step, tf.int64) + until)

    def is_update(self, step: int) -> bool:
        """Returns whether this step updates the masks, for a Python int."""
        since = step - self._offset
        return (
            since >= 0
            and since % self._period == 0
            and since // self._period < self.num_updates
        )


@dataclasses.dataclass(frozen=True)
class PairedSchedule(UpdateSchedule):
    """Updates in two parts: drop first, then grow `delay` steps later.

    Even update indices are first parts, at the steps of `UpdateSchedule`; odd
    indices are second parts. A first part takes place only if its second part
    still fits before the stop.

    Attributes:
        delay: optimizer steps between the parts, at least 1 and less than
            `interval`.
    """

    delay: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.delay < self.interval or not self.updates_advance_step:
            raise ValueError(
                "`drop_delay` must be less than the update interval, and "
                "updates must advance the step. Received: drop_delay="
                f"{self.delay} with an interval of {self.interval} steps, "
                f"updates_advance_step={self.updates_advance_step}."
            )

    @functools.cached_property
    def _first_parts(self) -> UpdateSchedule:
        """Schedule of the first parts, leaving room for the second ones."""
        return UpdateSchedule(
            self.start_step,
            max(self.start_step, self.stop_step - self.delay),
            self.interval,
            update_at_start=self.update_at_start,
            include_stop=self.include_stop
            and self.stop_step - self.delay >= self.start_step,
        )

    @property
    def num_updates(self) -> int:
        """Number of parts in the whole schedule."""
        return 2 * self._first_parts.num_updates

    def time_of_update(self, update: Any) -> Any:
        """Returns the step t of the given parts, an int or an array."""
        first = self._first_parts.time_of_update(update // 2)
        return first + update % 2 * self.delay

    def update_index(self, step: tf.Tensor) -> tf.Tensor:
        """Returns the index of this step's part, -1 if none."""
        step = tf.cast(step, tf.int64)
        first = self._first_parts.update_index(step)
        second = self._first_parts.update_index(step - self.delay)
        # At most one of the two is due. A part that is not due has index -1,
        # so its candidate here is below every index of the other part.
        return tf.maximum(2 * first, 2 * second + 1)

    def is_due(self, step: tf.Tensor) -> tf.Tensor:
        """Returns whether this step is a part of an update."""
        step = tf.cast(step, tf.int64)
        first = self._first_parts.is_due(step)
        return first | self._first_parts.is_due(step - self.delay)

    def is_update(self, step: int) -> bool:
        """Returns whether this step is a part of an update; a Python int."""
        first = self._first_parts
        return first.is_update(step) or first.is_update(step - self.delay)


def drop_fractions(
    schedule: UpdateSchedule, alpha: float, decay: DropFraction
) -> np.ndarray:
    """Computes the drop fraction of each update, float64 [num_updates].

    The table is computed once on the host, because the cosine may differ in its
    last bit between devices and then move one connection more or less.

    `decay` is a function of alpha and progress = t / stop_step in [0, 1]. As in
    the paper's f(t) = α/2 (1 + cos(π t / T_end)), t is not shifted by
    `start_step`. If `decay` returns α, its decimal is kept exactly; any other
    fraction is rounded to remove its floating-point error.

    Raises:
        ValueError: if `decay` returns a number outside [0, 1].
    """
    alpha = decimals.to_float64(alpha)
    end = max(schedule.stop_step, 1)
    times = [schedule.time_of_update(i) for i in range(schedule.num_updates)]
    fractions = np.array(
        [decay(alpha, min(time / end, 1.0)) for time in times], np.float64
    )

    # Written as a negation because NaN compares false.
    bad = ~((fractions >= 0) & (fractions <= 1))
    if bad.any():
        first = int(np.argmax(bad))
        raise ValueError(
            "`decay` must return a fraction of the connections, in [0, 1]. "
            f"Received: {fractions[first]} at step {times[first]} with "
            f"drop_fraction={alpha}."
        )

    return np.array(
        [f if f == alpha else _round_off(f) for f in fractions.tolist()],
        np.float64,
    )


def _round_off(fraction: float) -> float:
    """Removes rounding errors from a computed fraction.

    A short decimal is rounded to it: 0.29 · 3/4 becomes 0.2175. Others are
    raised by more than their error, so that 0.1/3 of 30 connections is 1 and
    not 0.
    """
    decimal = f"{fraction:.12g}"
    if decimal == f"{fraction:.15g}":
        return float(decimal)
    return min(fraction * (1 + _ERROR), 1.0)


def drop_count(
    fractions: np.ndarray, update: tf.Tensor, nonzeros: int | tf.Tensor
) -> tf.Tensor:
    """Returns the number of connections to drop, floor(f · nnz), int64 scalar.

    Each fraction is read as its shortest decimal, so 0.29 of 100 is 29 although
    0.29 * 100 is below 29 in float64.

    Args:
        fractions: float64 [num_updates], the table of `drop_fractions`.
        update: integer scalar, the index of the update; indices out of range
            are clipped.
        nonzeros: integer scalar, the number of active connections (nnz).
    """
    return decimals.floor_fraction(
        fractions, index_of(fractions, update), nonzeros
    )


def kept_to_nearest(
    fractions: np.ndarray, update: tf.Tensor, nonzeros: int | tf.Tensor
) -> tf.Tensor:
    """Returns (1 - f) · nnz to the nearest integer, ties to even.

    The arguments are those of `drop_count`.
    """
    return decimals.subtract_to_nearest(
        fractions, index_of(fractions, update), nonzeros
    )


def index_of(fractions: np.ndarray, update: tf.Tensor) -> tf.Tensor:
    """Clips an update index to the range of the table of fractions."""
    return tf.clip_by_value(update, 0, max(len(fractions) - 1, 0))
