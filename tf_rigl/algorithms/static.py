"""Static sparse training: the random mask of the first step stays."""

import dataclasses
from typing import Any

import tensorflow as tf

from tf_rigl.core.drop_and_grow import MaskUpdate
from tf_rigl.core.schedules import UpdateSchedule


@dataclasses.dataclass(frozen=True)
class Static:
    """Trains the connections that `sparsify` drew and never moves one.

    The baseline "Static" of Evci et al., arXiv:1911.11134, section 4.
    """

    @property
    def name(self) -> str:
        """The method's name in flags and reports."""
        return "static"

    @property
    def skip_weight_update(self) -> bool:
        """There are no mask updates that could skip one."""
        return False

    @property
    def schedule(self) -> UpdateSchedule | None:
        """Masks are never updated."""
        return None

    def resolve(self, total_steps: int | None) -> "Static":
        """Nothing here depends on the length of the run."""
        del total_steps
        return self

    def update(
        self,
        weights: tf.Tensor,
        mask: tf.Tensor,
        gradient: tf.Tensor,
        update: tf.Tensor,
    ) -> MaskUpdate:
        """The mask as it is."""
        del weights, gradient, update
        return MaskUpdate(mask, tf.zeros_like(mask), tf.zeros_like(mask))

    def get_config(self) -> dict[str, Any]:
        """No arguments."""
        return {}
