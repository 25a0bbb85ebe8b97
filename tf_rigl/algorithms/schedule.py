"""Schedules that a method holds: when it updates masks, how much it moves."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Literal

import numpy as np
import tensorflow as tf

from tf_rigl.core import checks
from tf_rigl.core import decimals
from tf_rigl.core import schedules
from tf_rigl.core import selection
from tf_rigl.core.schedules import UpdateSchedule

# The share of the training after which masks rest: RigL, appendix on ΔT.
STOP_FRACTION = 0.75

# The end of the mask updates: an optimizer step; never; None: `fit` says it.
StopStep = int | Literal["never"] | None


@dataclasses.dataclass(frozen=True)
class MaskSchedule:
    """The steps that update masks; the last may be left to `fit`.

    Checks steps and interval when it is made, with the earliest possible stop
    where the real one is not known yet.

    Raises:
        ValueError: if a step or the interval is out of its range.
        TypeError: if a number of steps is no integer.
    """

    # Makes the schedule that stops at an optimizer step.
    until: Callable[[int], UpdateSchedule]
    # That step; None: `fit` says how many steps there are.
    stop_step: StopStep = None
    start_step: int = 0  # the earliest possible stop, in optimizer steps
    argument: str = "stop_step"  # what the method calls its `stop_step`
    # Whether the last update is at the stop, which must be a step of the
    # training then.
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
        """Updates every `update_interval` steps from `start_step` on.

        Until `stop_step`, exclusive; by default for ever, None leaves it to
        `fit`.
        """
        until = functools.partial(
            UpdateSchedule, start_step, interval=update_interval
        )
        return cls(until, stop_step, start_step)

    def close(self, method: str = "Method") -> UpdateSchedule:
        """Returns the schedule, whose stop must be known.

        Raises:
            ValueError: if the stop is None; names `method` and its argument.
        """
        if self.stop_step is None:
            raise ValueError(
                f"`{self.argument}` is needed: nobody announced how many steps "
                f"training takes. Received: {self.argument}=None. Pass "
                f"{method}({self.argument}=...), about three quarters of the "
                "optimizer steps, or give `fit` a `steps_per_epoch`."
            )
        if self.stop_step == "never":
            return self.until(schedules.FOREVER)
        return self.until(self.stop_step)

    def stop_of(self, total_steps: int) -> int:
        """Returns the stop for a training of so many optimizer steps."""
        stop_step = round(STOP_FRACTION * total_steps)
        if self.updates_at_stop:
            stop_step = min(stop_step, total_steps - 1)
        return stop_step


@dataclasses.dataclass(frozen=True)
class DropSchedule:
    """The fraction of a weight's connections that each update moves.

    Raises:
        ValueError: if an argument is out of its range.
    """

    updates: MaskSchedule  # when masks are updated
    drop_fraction: float  # α, what the first update moves, in [0, 1]
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
        """Table of f(t), a float64 for each update; one if f is constant."""
        decay = self.decay
        if decay == "constant":
            return np.array([decimals.to_float64(self.drop_fraction)])
        return schedules.drop_fractions(
            self.updates.close(),
            self.drop_fraction,
            decay if callable(decay) else schedules.DECAYS[decay],
        )

    def fraction(self, update: tf.Tensor) -> tf.Tensor:
        """Returns f(t) of the update of this number, float64 scalar."""
        index = schedules.index_of(self.fractions, update)
        return tf.gather(tf.constant(self.fractions), index)

    def count(self, mask: tf.Tensor, update: tf.Tensor) -> tf.Tensor:
        """Returns K = floor(f(t) · nnz) of a mask at an update, an int64."""
        return schedules.drop_count(
            self.fractions, update, selection.count_true(mask)
        )
