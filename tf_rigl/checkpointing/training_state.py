"""The variables of a training run, and their file format."""

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend.distribution import strategy_of
from tf_rigl.backend.flavor import Flavor
from tf_rigl.backend.flavor import model_flavor
from tf_rigl.checkpointing import checkpoint_file
from tf_rigl.masking import tree
from tf_rigl.masking.masked_layer import variables_beside

_FORMAT = 1
_SHOWN = 3


def training_variables(model: Any, optimizer: Any = None) -> list[tf.Variable]:
    """Returns all variables that a training run depends on.

    They hold weights, masks, counters, the method's state, random generators,
    optimizer steps, slots and the loss scale. `tf.train.Checkpoint(model=...)`
    misses random generators, and in Keras 3 also layers in lists and dicts, so
    save these variables instead:

        >>> checkpoint = tf.train.Checkpoint(
        ...     variables=tf_rigl.training_variables(model, optimizer),
        ...     iterator=iterator,
        ... )

    Args:
        model: a built model of either Keras.
        optimizer: the optimizer, which is built if needed; by default that of
            the compiled model. Call `attach` first, which creates the
            method's state.

    Returns:
        The TensorFlow variables, in a fixed order.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if the model is not built or has no optimizer.
    """
    return list(TrainingState.of(model, optimizer).variables)


@dataclasses.dataclass(frozen=True)
class TrainingState:
    """The variables of a model and its optimizer, with their names."""

    names: tuple[str, ...]
    variables: tuple[tf.Variable, ...]

    @classmethod
    def of(cls, model: Any, optimizer: Any = None) -> "TrainingState":
        """Collects the variables of a model and its optimizer, built if needed.

        Raises:
            ValueError: if the model is not built or has no optimizer.
        """
        flavor = model_flavor(model)
        if optimizer is None:
            optimizer = getattr(model, "optimizer", None)
        if optimizer is None:
            raise ValueError(
                "The optimizer's state is a part of the training. Received: "
                f"optimizer=None and model={model.name!r}, which is compiled "
                "without one. Pass the optimizer that trains it."
            )
        if not model.built:
            raise ValueError(
                "A model must have its weights before a checkpoint is made or "
                f"restored. Received: model={model.name!r}, which is not "
                "built. Call it on a batch first."
            )

        build_optimizer(model, optimizer)
        found: dict[int, tuple[str, tf.Variable]] = {}
        for variable in (
            *_with_beside(flavor, model),
            *flavor.random_state(model),
            *flavor.optimizer_state(optimizer),
        ):
            raw = flavor.raw(variable)
            name = getattr(variable, "path", variable.name)
            found.setdefault(id(raw), (name, raw))

        names, variables = zip(*found.values(), strict=True)
        return cls(names, variables)

    def values(self) -> list[np.ndarray]:
        """Returns the current values; all workers must call this together."""
        return [variable.numpy() for variable in self.variables]

    def describe(self) -> dict[str, Any]:
        """Returns the description of the variables, a JSON object."""
        return {
            "format": _FORMAT,
            "variables": [
                {
                    "name": name,
                    "shape": variable.shape.as_list(),
                    "dtype": variable.dtype.name,
                }
                for name, variable in zip(
                    self.names, self.variables, strict=True
                )
            ],
        }

    def restore(self, path: str) -> dict[str, Any]:
        """Assigns the arrays of a file; returns the file's description.

        Raises:
            DamagedFileError: if the file is damaged.
            ValueError: if it was written for another model, optimizer or
                method. No variable has been changed then.
        """
        reader = checkpoint_file.Reader(path)
        self._check(path, reader.description)
        arrays = [
            reader.array(index, variable.dtype)
            for index, variable in enumerate(self.variables)
        ]
        self.assign(arrays)
        return reader.description

    def assign(self, values: Sequence[np.ndarray]) -> None:
        """Assigns a value to each variable."""
        for variable, value in zip(self.variables, values, strict=True):
            variable.assign(value)

    def check_same(
        self, what: str, received: str, description: Mapping[str, Any]
    ) -> None:
        """Checks that `describe` gave a description for the same variables.

        Args:
            what: the kind of thing that was described, for the message.
            received: the thing itself, for the message.
            description: what `describe` returned for it.

        Raises:
            ValueError: if shapes or dtypes differ.
        """
        wanted = self.describe()
        there, here = (
            [(tuple(one["shape"]), one["dtype"]) for one in each["variables"]]
            for each in (description, wanted)
        )
        if there != here:
            raise ValueError(
                f"{what} must be of the same model, optimizer and method. "
                f"Received: {received}, in which "
                f"{_difference(description['variables'], wanted['variables'])}."
                " Build and compile the model as when it was saved, or take "
                "another one."
            )

    def _check(self, path: str, description: Any) -> None:
        if (
            not isinstance(description, Mapping)
            or description.get("format") != _FORMAT
        ):
            raise ValueError(
                "A checkpoint must be one that `Checkpoints` wrote. Received: "
                f"{path!r}, which is not. Pass another directory."
            )

        self.check_same("A checkpoint", repr(path), description)


def build_optimizer(model: Any, optimizer: Any) -> None:
    """Builds an optimizer for a model's weights, if it is not built yet."""
    flavor = model_flavor(model)
    if flavor.optimizer_is_built(optimizer):
        return
    # Keras 3 makes slots of distributed weights only within the scope.
    raw = map(flavor.raw, model.trainable_variables)
    with strategy_of(raw).scope():
        optimizer.build(model.trainable_variables)


def _with_beside(flavor: Flavor, model: Any) -> list[Any]:
    """Returns a model's variables, each layer's masks after its weights.

    This is the order in files of all versions.
    """
    variables = list(filter(flavor.has_value, model.variables))
    places = {id(variable): place for place, variable in enumerate(variables)}
    after: dict[int, list[tf.Variable]] = {}
    for node in tree.walk(flavor, model):
        beside = variables_beside(node.layer)
        if beside:
            own = filter(flavor.has_value, node.layer.variables)
            last = max(places[id(one)] for one in own)
            after.setdefault(last, []).extend(beside)
    return [
        one
        for place, variable in enumerate(variables)
        for one in (variable, *after.get(place, ()))
    ]


def _difference(there: list[dict[str, Any]], here: list[dict[str, Any]]) -> str:
    """Describes the first few variables that differ, for a message."""
    differing = [
        f"{one['name']} is {one['dtype']}{one['shape']} and not "
        f"{other['dtype']}{other['shape']}, {other['name']}"
        for one, other in zip(there, here, strict=False)
        if (one["shape"], one["dtype"]) != (other["shape"], other["dtype"])
    ]
    if len(there) != len(here):
        differing.insert(
            0, f"there are {len(there)} variables and not {len(here)}"
        )
    return "; ".join(differing[:_SHOWN])
