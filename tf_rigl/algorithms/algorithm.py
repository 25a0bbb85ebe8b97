"""What a sparse-training method is to the rest of the library."""

from typing import Any
from typing import Protocol

import tensorflow as tf

from tf_rigl.core.drop_and_grow import MaskUpdate
from tf_rigl.core.schedules import UpdateSchedule


class Algorithm(Protocol):
    """A method: a small immutable object that says when and how masks move.

    Methods are siblings that combine functions of `tf_rigl.core`; they share
    this interface and no base class.
    """

    @property
    def name(self) -> str:
        """The name under which flags and reports know the method."""

    @property
    def skip_weight_update(self) -> bool:
        """Whether a batch that updates the masks leaves the weights alone."""

    def resolve(self, total_steps: int | None) -> "Algorithm":
        """The method with everything filled in that depends on the run.

        Args:
            total_steps: optimizer steps that training will take, None where
                nobody announced them.

        Raises:
            ValueError: where the number is needed and unknown.
        """

    @property
    def schedule(self) -> UpdateSchedule | None:
        """When masks are updated; None where they never are."""

    def update(
        self,
        weights: tf.Tensor,
        mask: tf.Tensor,
        gradient: tf.Tensor,
        update: tf.Tensor,
    ) -> MaskUpdate:
        """One mask update of one weight, in a graph.

        Args:
            weights: the weight, zeros where masked.
            mask: bool tensor of its shape.
            gradient: the dense gradient of the batch, reduced over replicas.
            update: int64 scalar, which update of the schedule this is.
        """

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, plain Python values."""
