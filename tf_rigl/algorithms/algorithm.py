"""What a sparse-training method is to the rest of the library."""

import abc
import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import ClassVar
from typing import Literal
from typing import NamedTuple

import tensorflow as tf

from tf_rigl.core.drop_and_grow import MaskUpdate
from tf_rigl.core.schedules import UpdateSchedule
from tf_rigl.core.structures import Structure


class Weight(NamedTuple):
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


class When(NamedTuple):
    """The moment of an update or a step."""

    update: tf.Tensor  # int64 scalar, number of the update, from 0; else -1
    step: tf.Tensor  # int64 scalar, optimizer steps taken so far


class WeightUpdate(NamedTuple):
    """What a mask update makes of one weight."""

    masks: MaskUpdate
    # New values of the weight; None: they stay, and new connections start at
    # what `Weight.values` holds there. Masked positions do not count.
    values: tf.Tensor | None = None
    # The gradient that momentum slots hold at new connections, as if it had
    # been accumulated; None: zero.
    fresh_slots: tf.Tensor | None = None
    # New values of the state, by name; what is missing stays.
    state: Mapping[str, tf.Tensor] = {}


class Algorithm(abc.ABC):
    """A method: a small immutable object that says when and how masks move.

    Methods are siblings that combine functions of `tf_rigl.core`. The class
    attributes below say what they need of the training step; a method states
    those in which it differs.
    """

    # The name under which flags and reports know the method.
    name: ClassVar[str]
    # Which masks it begins with: drawn at random or full ("dense").
    start: ClassVar[Literal["random", "dense", "any"]] = "random"
    # Whether masked positions keep a value that is trained too.
    trains_inactive: ClassVar[bool] = False
    # Names of the structures that it can keep; None for all.
    structures: tuple[str, ...] | None = None
    # Whether `sparsify` must have kept the initial values.
    needs_initial_values: bool = False
    # Whether `observe` is to be called in every step.
    observes: bool = False
    # Whether `update` needs all weights of the model at once.
    whole_model: bool = False
    # Whether a batch that updates the masks leaves the weights alone.
    skip_weight_update: bool = False
    # Whether `update` gives slots of new connections values, which optimizers
    # may keep multiplied by the learning rate of the moment.
    gives_slots: bool = False

    @property
    def state(self) -> Mapping[str, tf.DType | None]:
        """Tensors kept for each weight, of its shape, zeros at first.

        By name, with their dtype; None for the weight's own.
        """
        return {}

    @property
    @abc.abstractmethod
    def schedule(self) -> UpdateSchedule | None:
        """When masks are updated; None where they never are."""

    def resolve(self, total_steps: int | None) -> "Algorithm":
        """The method with everything filled in that depends on the run.

        Args:
            total_steps: optimizer steps that training will take, None where
                nobody announced them.

        Raises:
            ValueError: where the number is needed and unknown.
        """
        del total_steps
        return self

    def observe(self, weight: Weight, when: When) -> Mapping[str, tf.Tensor]:
        """New values of the state, in every step, before anything else."""
        raise NotImplementedError

    def trained(self, weight: Weight) -> tf.Tensor | None:
        """Which positions a step trains, where inactive ones are trained.

        Returns:
            bool tensor of the weight's shape; None for all.
        """
        del weight
        return None

    def step_gradient(self, weight: Weight) -> tf.Tensor:
        """The gradient of a step, where inactive positions are trained."""
        return weight.gradient

    @abc.abstractmethod
    def update(
        self, weights: Sequence[Weight], when: When
    ) -> list[WeightUpdate]:
        """One mask update.

        Args:
            weights: one weight, or all of the model's where `whole_model`.
            when: which update of the schedule this is, and the step.

        Returns:
            What it makes of each weight, in their order.
        """

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, plain Python values."""
        if not dataclasses.is_dataclass(self):
            return {}
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
        }
