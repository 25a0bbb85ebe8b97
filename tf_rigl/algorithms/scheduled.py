"""What methods that update masks at regular steps have in common."""

import dataclasses

from tf_rigl.algorithms.algorithm import Algorithm
from tf_rigl.core.schedules import UpdateSchedule

STOP_FRACTION = 0.75


class Scheduled(Algorithm):
    """A dataclass with a `stop_step` that may be left to `fit`."""

    stop_step: int | None
    start_step: int | None

    def _schedule_until(self, stop_step: int) -> UpdateSchedule:
        raise NotImplementedError

    def _check_schedule(self) -> None:
        """Checks steps and interval at construction.

        With a stop that cannot be wrong where the real one is not known yet.
        """
        stop = self.start_step if self.stop_step is None else self.stop_step
        self._schedule_until(0 if stop is None else stop)

    @property
    def schedule(self) -> UpdateSchedule:
        """When masks are updated.

        Raises:
            ValueError: where `stop_step` is None; call `resolve` first.
        """
        if self.stop_step is None:
            name = type(self).__name__
            raise ValueError(
                "`stop_step` is needed: nobody announced how many steps "
                "training takes. Received: stop_step=None. Pass "
                f"{name}(stop_step=...), about three quarters of the optimizer "
                "steps, or give `fit` a `steps_per_epoch`."
            )
        return self._schedule_until(self.stop_step)

    def resolve(self, total_steps: int | None) -> Algorithm:
        """The same with `stop_step` filled in."""
        if self.stop_step is not None or total_steps is None:
            _ = self.schedule
            return self
        stop_step = round(STOP_FRACTION * total_steps)
        return dataclasses.replace(self, stop_step=stop_step)  # type: ignore[type-var]


def check_fraction(name: str, value: float, meaning: str) -> None:
    """Raises a ValueError unless 0 <= value <= 1."""
    if not 0 <= value <= 1:
        raise ValueError(
            f"`{name}` is {meaning} and must be in [0, 1]. "
            f"Received: {name}={value}."
        )
