"""RigL: drop the weakest connections, grow those with the largest gradient."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.core import schedules
from tf_rigl.core import selection
from tf_rigl.core.drop_and_grow import MaskUpdate
from tf_rigl.core.drop_and_grow import drop_and_grow

# How the paper's Algorithm 1 and the TF1 repository differ where the paper is
# silent. Each is also an argument of its own.
PRESETS: Mapping[str, Mapping[str, bool]] = {
    "paper": {
        "update_at_start": True,
        "include_stop": False,
        "updates_advance_step": True,
        "skip_weight_update": True,
    },
    "tf1": {
        "update_at_start": True,
        "include_stop": True,
        "updates_advance_step": False,
        "skip_weight_update": True,
    },
}

STOP_FRACTION = 0.75


@dataclasses.dataclass(frozen=True)
class RigL:
    """RigL, the rigged lottery.

    At each mask update a weight with nnz connections drops the
    K = floor(f(t) · nnz) with the smallest magnitude and grows K elsewhere,
    where the dense gradient of the same batch is largest in magnitude. New
    connections start at 0. f decays from `drop_fraction` to 0.

    Attributes:
        stop_step: end of the mask updates, in optimizer steps; by default
            three quarters of the steps that `fit` announces.
        update_interval: ΔT, optimizer steps between two updates. The paper
            uses 100 at 4,096 images a step; scale it with 4,096 over the
            batch size.
        drop_fraction: α, fraction of a weight's connections that the first
            update moves, in [0, 1].
        start_step: first step that may update, in optimizer steps.
        decay: `"cosine"`, `"constant"`, `"linear"`, `"inverse_power"` (k = 3)
            or a function of (α, t / stop_step).
        preset: `"paper"` or `"tf1"`, the step pattern of
            google-research/rigl: sets the arguments below that are None. Only
            the pattern: with `start_step > 0` that repository's decays reach
            their end `start_step` earlier.
        update_at_start: whether `start_step` itself updates the masks.
        include_stop: whether `stop_step` itself may.
        updates_advance_step: whether a batch that updates the masks advances
            the step t. The optimizer's own counter always advances.
        skip_weight_update: whether all weights, masked or not, stay as they
            are in a batch that updates the masks.

    Raises:
        ValueError: for an argument out of its range, at construction.
        TypeError: for a number of steps that is no integer.

    Reference: Evci et al., "Rigging the Lottery: Making All Tickets Winners",
    ICML 2020, arXiv:1911.11134, Algorithm 1 and equation 1.
    """

    stop_step: int | None = None
    update_interval: int = 100
    drop_fraction: float = 0.3
    start_step: int = 0
    decay: str | schedules.DropFraction = "cosine"
    preset: str = "paper"
    update_at_start: bool | None = None
    include_stop: bool | None = None
    updates_advance_step: bool | None = None
    # Never None once constructed, which the interface asks for.
    skip_weight_update: bool = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise ValueError(
                f"`preset` must be one of {tuple(PRESETS)}. "
                f"Received: preset={self.preset!r}."
            )
        for field, value in PRESETS[self.preset].items():
            if getattr(self, field) is None:
                object.__setattr__(self, field, value)
        if not 0 <= self.drop_fraction <= 1:
            raise ValueError(
                "`drop_fraction` is the fraction of connections that an "
                "update moves and must be in [0, 1]. "
                f"Received: drop_fraction={self.drop_fraction}."
            )
        if not callable(self.decay) and self.decay not in schedules.DECAYS:
            raise ValueError(
                f"`decay` must be one of {tuple(schedules.DECAYS)} or a "
                f"function. Received: decay={self.decay!r}."
            )
        # Checks steps and interval at construction, with a stop that cannot
        # be wrong where the real one is not known yet.
        self._schedule_until(
            self.start_step if self.stop_step is None else self.stop_step
        )

    @property
    def name(self) -> str:
        """The method's name in flags and reports."""
        return "rigl"

    @property
    def schedule(self) -> schedules.UpdateSchedule:
        """When masks are updated.

        Raises:
            ValueError: where `stop_step` is None; call `resolve` first.
        """
        if self.stop_step is None:
            raise ValueError(
                "`stop_step` is needed: nobody announced how many steps "
                "training takes. Received: stop_step=None. Pass "
                "RigL(stop_step=...), about three quarters of the optimizer "
                "steps, or give `fit` a `steps_per_epoch`."
            )
        return self._schedule_until(self.stop_step)

    def _schedule_until(self, stop_step: int) -> schedules.UpdateSchedule:
        return schedules.UpdateSchedule(
            self.start_step,
            stop_step,
            self.update_interval,
            update_at_start=bool(self.update_at_start),
            include_stop=bool(self.include_stop),
            updates_advance_step=bool(self.updates_advance_step),
        )

    @functools.cached_property
    def _drop_fractions(self) -> np.ndarray:
        """One table for all weights of a model."""
        decay = self.decay
        return schedules.drop_fractions(
            self.schedule,
            self.drop_fraction,
            decay if callable(decay) else schedules.DECAYS[decay],
        )

    def resolve(self, total_steps: int | None) -> "RigL":
        """The same with `stop_step` filled in."""
        if self.stop_step is not None or total_steps is None:
            _ = self.schedule
            return self
        stop_step = round(STOP_FRACTION * total_steps)
        return dataclasses.replace(self, stop_step=stop_step)

    def update(
        self,
        weights: tf.Tensor,
        mask: tf.Tensor,
        gradient: tf.Tensor,
        update: tf.Tensor,
    ) -> MaskUpdate:
        """Algorithm 1's update of one weight."""
        count = schedules.drop_count(
            self._drop_fractions, update, selection.count_true(mask)
        )
        return drop_and_grow(weights, mask, gradient, count)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return dataclasses.asdict(self)
