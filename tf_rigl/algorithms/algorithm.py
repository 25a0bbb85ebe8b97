"""The interface between sparse-training methods and the rest of the library."""

import abc
import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import ClassVar
from typing import NamedTuple

import tensorflow as tf

from tf_rigl.algorithms.connections import ConnectionsUpdate
from tf_rigl.algorithms.connections import ConnectionsView
from tf_rigl.algorithms.penalty import Penalty
from tf_rigl.algorithms.requirements import Requirements
from tf_rigl.algorithms.schedule import MaskSchedule
from tf_rigl.core.drop_and_grow import MaskUpdate
from tf_rigl.core.schedules import UpdateSchedule
from tf_rigl.core.structures import Structure


class WeightView(NamedTuple):
    """A masked weight as a method sees it inside the graph.

    Under a structure other than `Unstructured`, all tensors are viewed as
    [positions, inputs, units].
    """

    key: str  # stable across runs; seeds random numbers
    target: int  # number of connections that `sparsify` allotted
    structure: Structure
    # Zero where masked, unless the method trains inactive weights.
    values: tf.Tensor
    mask: tf.Tensor  # bool
    gradient: tf.Tensor  # dense, of the batch, reduced over replicas
    state: Mapping[str, tf.Tensor]  # the tensors of `Algorithm.state`
    fan_in: int = 1  # positions · inputs of the dense weight
    least: int = 0  # number of connections that a ranking of all must leave


class StepInfo(NamedTuple):
    """Counters of the current training step."""

    update: tf.Tensor  # int64 scalar, index of the update, -1 if none is due
    step: tf.Tensor  # int64 scalar, optimizer steps taken so far
    time: tf.Tensor  # int64 scalar, optimizer steps since the schedule began


class WeightUpdate(NamedTuple):
    """Result of a mask update for one weight."""

    masks: MaskUpdate
    # New values of the weight; those at masked positions are ignored. With None
    # the weight keeps `WeightView.values`, at new connections as well.
    values: tf.Tensor | None = None
    # Initializes the momentum slots of new connections as if this gradient had
    # been accumulated; None means zero.
    new_slot_gradients: tf.Tensor | None = None
    # New values of the state by name; missing names keep their values.
    state: Mapping[str, tf.Tensor] = {}


class Algorithm(abc.ABC):
    """A method: an immutable object that decides when and how masks change.

    Methods are siblings that combine functions of `tf_rigl.core`. Each is a
    frozen dataclass with a `name`, its `requirements`, its `mask_schedule` and
    an `update`; `docs/extending.md` implements one.

    Raises:
        ValueError: if an argument is out of range, at construction; or if
            training begins with masks that the method does not support, for
            example sparse masks if it prunes, or another structure.
        TypeError: if a number of steps is not an integer.
    """

    # The method's name in flags and reports.
    name: ClassVar[str]

    @property
    def requirements(self) -> Requirements:
        """Needs of the method towards a training step; by default none."""
        return Requirements()

    @property
    def state(self) -> Mapping[str, tf.DType | None]:
        """Dtypes by name of the tensors kept for each weight.

        They have the weight's shape and are initialized to zero. None stands
        for the dtype of the weight.
        """
        return {}

    @property
    def penalties(self) -> Sequence[Penalty]:
        """Terms of the loss that are added in the update rule; none here."""
        return ()

    @property
    @abc.abstractmethod
    def mask_schedule(self) -> MaskSchedule | UpdateSchedule | None:
        """Schedule of mask updates, whose stop may be left to `fit`.

        None if masks are never updated.
        """

    @property
    def schedule(self) -> UpdateSchedule | None:
        """Schedule of mask updates with a known stop; None if there is none.

        Raises:
            ValueError: if the stop is not known yet; call `resolve` first.
        """
        schedule = self.mask_schedule
        if isinstance(schedule, MaskSchedule):
            return schedule.close(type(self).__name__)
        return schedule

    def set_model(self, model: object) -> None:
        """Raises a TypeError: `fit` was given a method for a callback."""
        del model
        raise TypeError(
            "A method becomes a callback by `UpdateMasks`. Received: "
            f"{type(self).__name__} among the callbacks of `fit`. Pass "
            f"callbacks=[tf_rigl.UpdateMasks({type(self).__name__}(...))]."
        )

    def resolve(self, total_steps: int | None) -> "Algorithm":
        """Returns the method with the arguments filled in that the run decides.

        An unspecified stop becomes three quarters of the training.

        Args:
            total_steps: number of optimizer steps of the training, or None if
                it is unknown.

        Raises:
            ValueError: if the number is needed but unknown.
        """
        schedule = self.mask_schedule
        if not isinstance(schedule, MaskSchedule):
            return self
        if schedule.stop_step is not None or total_steps is None:
            schedule.close(type(self).__name__)
            return self
        stop_step = schedule.stop_of(total_steps)
        return dataclasses.replace(self, **{schedule.argument: stop_step})  # type: ignore[type-var]

    def initial_state(self, weight: WeightView) -> Mapping[str, tf.Tensor]:
        """Returns values of the state before training; all others are zero.

        Called once for each weight, before the first masks are selected, if
        `requirements.latent` names a state. The weight has all of its
        connections then.
        """
        del weight
        return {}

    def observe(
        self, weight: WeightView, when: StepInfo
    ) -> Mapping[str, tf.Tensor]:
        """Returns new values of the state, before anything else in a step.

        Called in every step if `requirements.observes`, or in the last
        `requirements.observed_steps` up to each mask update.
        """
        raise NotImplementedError

    def latent(self, weight: WeightView) -> tf.Tensor:
        """Returns the tensor that the optimizer trains in place of the weight.

        Called before every step if `requirements.latent` names a state, which
        then stores the result of the step. The default is the weight's own
        values, active and inactive; the result is a float tensor of the
        weight's shape.
        """
        return weight.values

    def deployed(self, weight: WeightView, latent: tf.Tensor) -> tf.Tensor:
        """Computes the values of the model's weight from the latent values.

        Called after every step and mask update if `requirements.latent`.

        Args:
            weight: the weight with its current mask.
            latent: float tensor, the latent values after the optimizer step.

        Returns:
            float tensor of the weight's shape, by default the latent values.
            Positions outside the mask are set to zero afterwards.
        """
        del weight
        return latent

    def trainable_mask(self, weight: WeightView) -> tf.Tensor | None:
        """Returns a bool mask of the latent values to train; None for all."""
        del weight
        return None

    def step_gradient(self, weight: WeightView) -> tf.Tensor:
        """Returns the gradient with which the latent values are trained."""
        return weight.gradient

    @abc.abstractmethod
    def update(
        self, weights: Sequence[WeightView], when: StepInfo
    ) -> list[WeightUpdate]:
        """Computes new masks.

        Args:
            weights: one weight, or all of the model's if
                `requirements.whole_model`.
            when: the index of the update in the schedule, and the step.

        Returns:
            One `WeightUpdate` for each weight, in the same order.
        """

    def num_candidates(self, nonzeros: int) -> int:
        """Returns how many inactive positions an update must be shown.

        Args:
            nonzeros: number of connections of a weight.

        Returns:
            The most connections that an update grows where the gradient of
            inactive positions decides it; 0 if it does not.
        """
        del nonzeros
        return 0

    def update_connections(
        self, weight: ConnectionsView, when: StepInfo
    ) -> ConnectionsUpdate:
        """Does as `update` for a weight stored by its connections.

        Called instead of it unless `requirements.needs_dense`.
        """
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments as plain Python values."""
        if not dataclasses.is_dataclass(self):
            return {}
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
        }
