"""Schedules held by methods: when to update masks, and how much to move."""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Literal

import numpy as np
import tensorflow as tf

from tf_rigl.core import checks
from tf_rigl.core import decimals
from tf_rigl.core import schedules
from tf_rigl.core import selection
from tf_rigl.core.schedules import UpdateSchedule

# Fraction of training after which masks stay fixed: RigL, appendix on ΔT.
STOP_FRACTION = 0.75

# End of the mask updates: an optimizer step, or never; None is set by `fit`.
StopStep = int | Literal["never"] | None


@dataclasses.dataclass(frozen=True)
class MaskSchedule:
    """A schedule of mask updates whose stop may be left to `fit`.

    Steps and interval are checked at construction, with the earliest possible
    stop if the actual one is unknown.

    Raises:
        ValueError: if a step or the interval is out of range.
        TypeError: if a number of steps is not an integer.
    """

    # Builds the schedule for a stop, in optimizer steps.
    until: Callable[[int], UpdateSchedule]
    # The stop; None if `fit` determines it from the number of steps.
    stop_step: StopStep = None
    start_step: int = 0  # the earliest possible stop, in optimizer steps
    argument: str = "stop_step"  # the method's argument that sets the stop
    # Whether the last update is at the stop itself, which must then be a step
    # of the training.
    updates_at_stop: bool = False

    def __post_init__(self) -> None:
        if self.stop_step == "never" and self.updates_at_stop:
            raise ValueError(
                "Pruning must reach its target at a step. Received: "
                f"{self.argument}='never'. Pass a number of optimizer steps, "
                "or None for three quarters of the training."
            )
        stop = self.start_step if self.stop_step is None else self.stop_step
        self.until(schedules.FOREVER if stop == "never" else stop)

    @classmethod
    def regular(
        cls,
        update_interval: int,
        stop_step: StopStep = "never",
        start_step: int = 0,
    ) -> "MaskSchedule":
        """Makes a schedule with an update every `update_interval` steps.

        Updates run from `start_step` to `stop_step`, exclusive; by default
        forever. A stop of None is left to `fit`.
        """
        until = functools.partial(
            UpdateSchedule, start_step, interval=update_interval
        )
        return cls(until, stop_step, start_step)

    def close(self, method: str = "Method") -> UpdateSchedule:
        """Returns the schedule; its stop must be known.

        Raises:
            ValueError: if the stop is None; the message names `method` and its
                argument.
        """
        if self.stop_step is None:
            raise ValueError(
                f"`{self.argument}` is needed, since the number of training "
                f"steps is unknown. Received: {self.argument}=None. Pass "
                f"{method}({self.argument}=...), about three quarters of the "
                "optimizer steps, or give `fit` a `steps_per_epoch`."
            )
        if self.stop_step == "never":
            return self.until(schedules.FOREVER)
        return self.until(self.stop_step)

    def stop_of(self, total_steps: int) -> int:
        """Returns the default stop for a training of `total_steps` steps."""
        stop_step = round(STOP_FRACTION * total_steps)
        if self.updates_at_stop:
            stop_step = min(stop_step, total_steps - 1)
        return stop_step


@dataclasses.dataclass(frozen=True)
class DropSchedule:
    """The fraction of a weight's connections that each update moves.

    Raises:
        ValueError: if an argument is out of range.
    """

    updates: MaskSchedule  # the steps that update masks
    drop_fraction: float  # α, the fraction of the first update, in [0, 1]
    # `"cosine"`, `"constant"`, `"linear"`, `"inverse_power"` (k = 3) or a
    # function of (α, t / stop_step).
    decay: str | schedules.DropFraction

    def __post_init__(self) -> None:
        checks.check_fraction(
            "drop_fraction",
            self.drop_fraction,
            "the fraction of connections that an update moves",
        )
        if not callable(self.decay):
            checks.check_choice("decay", self.decay, schedules.DECAYS)
        endless = self.updates.stop_step in ("never", schedules.FOREVER)
        if endless and self.decay != "constant":
            raise ValueError(
                "A fraction that decays needs an end. Received: stop_step="
                f"{self.updates.stop_step!r} with decay={self.decay!r}. Pass "
                'decay="constant", or a number of optimizer steps.'
            )

    @functools.cached_property
    def fractions(self) -> np.ndarray:
        """Table of f(t), float64 with one entry per update; one if constant."""
        decay = self.decay
        if decay == "constant":
            return np.array([decimals.to_float64(self.drop_fraction)])
        return schedules.drop_fractions(
            self.updates.close(),
            self.drop_fraction,
            decay if callable(decay) else schedules.DECAYS[decay],
        )

    def fraction(self, update: tf.Tensor) -> tf.Tensor:
        """Returns f(t) for an update index, float64 scalar."""
        index = schedules.index_of(self.fractions, update)
        return tf.gather(tf.constant(self.fractions), index)

    def count(self, mask: tf.Tensor, update: tf.Tensor) -> tf.Tensor:
        """Returns K = floor(f(t) · nnz) for a mask and update, int64 scalar."""
        return self.count_of(selection.count_true(mask), update)

    def count_of(
        self, nonzeros: int | tf.Tensor, update: tf.Tensor
    ) -> tf.Tensor:
        """Returns K for a number of connections nnz, int64 scalar."""
        return schedules.drop_count(self.fractions, update, nonzeros)

    def most(self, nonzeros: int) -> int:
        """Returns a bound of K over all updates, however it is rounded."""
        largest = max(self.fractions, default=0.0)
        return min(nonzeros, math.ceil(largest * nonzeros) + 1)
