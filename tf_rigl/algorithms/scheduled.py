"""What methods that update masks at regular steps have in common."""

import dataclasses

from tf_rigl.algorithms.algorithm import Algorithm
from tf_rigl.core.schedules import UpdateSchedule

STOP_FRACTION = 0.75


class Scheduled(Algorithm):
    """A dataclass whose last update may be left to `fit`."""

    # The field that says when the updates end, and whether the last is then.
    stop_field = "stop_step"
    updates_at_stop = False
    start_step: int | None = None

    def _schedule_until(self, stop_step: int) -> UpdateSchedule:
        raise NotImplementedError

    def _check_schedule(self) -> None:
        """Checks steps and interval at construction.

        With a stop that cannot be wrong where the real one is not known yet.
        """
        stop = getattr(self, self.stop_field)
        self._schedule_until((self.start_step or 0) if stop is None else stop)

    @property
    def schedule(self) -> UpdateSchedule:
        """When masks are updated.

        Raises:
            ValueError: where the stop is None; call `resolve` first.
        """
        stop = getattr(self, self.stop_field)
        if stop is None:
            field, name = self.stop_field, type(self).__name__
            raise ValueError(
                f"`{field}` is needed: nobody announced how many steps "
                f"training takes. Received: {field}=None. Pass "
                f"{name}({field}=...), about three quarters of the optimizer "
                "steps, or give `fit` a `steps_per_epoch`."
            )
        return self._schedule_until(stop)

    def resolve(self, total_steps: int | None) -> Algorithm:
        """The same with the stop filled in: three quarters of all steps."""
        if getattr(self, self.stop_field) is not None or total_steps is None:
            _ = self.schedule
            return self
        stop_step = round(STOP_FRACTION * total_steps)
        if self.updates_at_stop:
            stop_step = min(stop_step, total_steps - 1)
        return dataclasses.replace(self, **{self.stop_field: stop_step})  # type: ignore[type-var]


def check_fraction(name: str, value: float, meaning: str) -> None:
    """Raises a ValueError unless 0 <= value <= 1."""
    if not 0 <= value <= 1:
        raise ValueError(
            f"`{name}` is {meaning} and must be in [0, 1]. "
            f"Received: {name}={value}."
        )
