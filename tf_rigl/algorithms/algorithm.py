"""The interface of a sparse-training method to the rest of the library."""

import abc
import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import ClassVar
from typing import NamedTuple

import tensorflow as tf

from tf_rigl.algorithms.requirements import Requirements
from tf_rigl.algorithms.schedule import MaskSchedule
from tf_rigl.core.drop_and_grow import MaskUpdate
from tf_rigl.core.schedules import UpdateSchedule
from tf_rigl.core.structures import Structure


class WeightView(NamedTuple):
    """A masked weight as a method sees it, in a graph.

    Under a structure other than `Unstructured` all tensors are viewed as
    [positions, inputs, units].
    """

    key: str  # stable; random numbers depend on it
    target: int  # number of connections that `sparsify` allotted
    structure: Structure
    # Zeros where masked, except for methods that train inactive weights.
    values: tf.Tensor
    mask: tf.Tensor  # bool
    gradient: tf.Tensor  # dense, of the batch, reduced over replicas
    state: Mapping[str, tf.Tensor]  # what `Algorithm.state` names


class StepInfo(NamedTuple):
    """The moment of an update or a step."""

    update: tf.Tensor  # int64 scalar, number of the update, from 0; else -1
    step: tf.Tensor  # int64 scalar, optimizer steps taken so far
    time: tf.Tensor  # int64 scalar, those since the schedule began


class WeightUpdate(NamedTuple):
    """Result of a mask update for one weight."""

    masks: MaskUpdate
    # New values of the weight; None: they stay, and new connections start at
    # what `WeightView.values` holds there. Masked positions do not count.
    values: tf.Tensor | None = None
    # The gradient that momentum slots hold at new connections, as if it had
    # been accumulated; None: zero.
    new_slot_gradients: tf.Tensor | None = None
    # New values of the state, by name; what is missing stays.
    state: Mapping[str, tf.Tensor] = {}


class Algorithm(abc.ABC):
    """A method: a small immutable object that says when and how masks move.

    Methods are siblings that combine functions of `tf_rigl.core`. A method is
    a frozen dataclass with a `name`, its `requirements`, the `mask_schedule`
    that it holds and one `update`; `docs/extending.md` makes one.

    Raises:
        ValueError: for an argument out of its range, at construction; where
            training begins with masks that a method cannot begin with, for
            example sparse ones if it prunes, or of another structure.
        TypeError: for a number of steps that is no integer.
    """

    # The name under which flags and reports know the method.
    name: ClassVar[str]

    @property
    def requirements(self) -> Requirements:
        """Needs of the training step; by default as few as SET's."""
        return Requirements()

    @property
    def state(self) -> Mapping[str, tf.DType | None]:
        """Tensors kept for each weight, of its shape, zeros at first.

        By name, with their dtype; None for the weight's own.
        """
        return {}

    @property
    @abc.abstractmethod
    def mask_schedule(self) -> MaskSchedule | UpdateSchedule | None:
        """Steps that update masks, perhaps with the stop left to `fit`.

        None if masks are never updated.
        """

    @property
    def schedule(self) -> UpdateSchedule | None:
        """Steps that update masks; None if they never are.

        Raises:
            ValueError: if the stop is left open; call `resolve` first.
        """
        schedule = self.mask_schedule
        if isinstance(schedule, MaskSchedule):
            return schedule.close(type(self).__name__)
        return schedule

    def resolve(self, total_steps: int | None) -> "Algorithm":
        """Returns the method with everything filled in that a run decides.

        A stop that was left open becomes three quarters of all steps.

        Args:
            total_steps: optimizer steps that training will take, None if
                nobody announced them.

        Raises:
            ValueError: if the number is needed and unknown.
        """
        schedule = self.mask_schedule
        if not isinstance(schedule, MaskSchedule):
            return self
        if schedule.stop_step is not None or total_steps is None:
            schedule.close(type(self).__name__)
            return self
        stop_step = schedule.stop_of(total_steps)
        return dataclasses.replace(self, **{schedule.argument: stop_step})  # type: ignore[type-var]

    def observe(
        self, weight: WeightView, when: StepInfo
    ) -> Mapping[str, tf.Tensor]:
        """Returns new values of the state, in every step, before all else.

        Called if `requirements.observes`.
        """
        raise NotImplementedError

    def latent(self, weight: WeightView) -> tf.Tensor:
        """Returns the tensor that the optimizer trains in place of the weight.

        Called before every step if `requirements.latent` names the state in
        which the result of the step is kept; a float tensor of the weight's
        shape, by default its own values within and outside the mask.
        """
        return weight.values

    def deployed(self, weight: WeightView, latent: tf.Tensor) -> tf.Tensor:
        """Returns the values that the model holds, from the latent ones.

        Called after every step and mask update if `requirements.latent`.

        Args:
            weight: the weight with its present mask.
            latent: float tensor, as the optimizer has left it.

        Returns:
            float tensor of the weight's shape, by default the latent values.
            Positions outside the mask do not count, they are set to zero.
        """
        del weight
        return latent

    def trainable_mask(self, weight: WeightView) -> tf.Tensor | None:
        """Returns which latent values a step trains, bool; None for all."""
        del weight
        return None

    def step_gradient(self, weight: WeightView) -> tf.Tensor:
        """Returns the gradient of a step of the latent values."""
        return weight.gradient

    @abc.abstractmethod
    def update(
        self, weights: Sequence[WeightView], when: StepInfo
    ) -> list[WeightUpdate]:
        """Returns new masks.

        Args:
            weights: one weight, or all of the model's if
                `requirements.whole_model`.
            when: which update of the schedule this is, and the step.

        Returns:
            What the update makes of each weight, in their order.
        """

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, plain Python values."""
        if not dataclasses.is_dataclass(self):
            return {}
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
        }
