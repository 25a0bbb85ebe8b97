"""Snapshots of a model's values, to which training can be rewound."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend.flavor import Flavor
from tf_rigl.backend.flavor import model_flavor
from tf_rigl.checkpointing import checkpoint_file
from tf_rigl.checkpointing import optimizer_state
from tf_rigl.checkpointing.checkpoint_file import DamagedFileError
from tf_rigl.checkpointing.training_state import TrainingState
from tf_rigl.core.checks import check_choice
from tf_rigl.masking import model_weights

_KIND = "snapshot"
_SLOTS = ("zero", "keep", "restore")


@dataclasses.dataclass(frozen=True, eq=False)
class Snapshot:
    """The values of a model at one step, without its masks.

    It holds weights, biases, the moving averages of normalization, the states
    of random generators and, of a compiled model, those of the optimizer. Masks
    are not part of it: `restore` puts the values through the masks that the
    model has then, so that a pruned model is rewound to the values that it had
    when it was dense.

    Attributes:
        weights: arrays of the layers' weights by path, in the weights' dtypes;
            those of masked weights have the paths of `tf_rigl.masks`.
        step: optimizer steps taken before; None without an optimizer.

    Example:
        >>> start = tf_rigl.Snapshot.of(model)
        >>> model.fit(data, callbacks=[tf_rigl.UpdateMasks(tf_rigl.Static())])
        >>> tf_rigl.prune(model, amount=0.2)
        >>> start.restore(model)  # the same masks, the first values
    """

    weights: Mapping[str, np.ndarray]
    step: int | None
    _model: Mapping[str, Any]  # description of `weights` and `_others`
    _others: tuple[np.ndarray, ...]  # states of random generators and the like
    _optimizer: Mapping[str, Any] | None  # description of `_slots`
    _slots: tuple[np.ndarray, ...]  # all variables of the optimizer

    def __repr__(self) -> str:
        slots = "with" if self._slots else "without"
        return (
            f"Snapshot({len(self.weights)} weights of step {self.step}, "
            f"{slots} the optimizer's state)"
        )

    @classmethod
    def of(cls, model: Any, optimizer: Any = None) -> "Snapshot":
        """Takes a snapshot of a model; all workers must call it together.

        Args:
            model: a built model of either Keras, dense or sparse.
            optimizer: the optimizer; by default that of the compiled model, if
                it has one.

        Raises:
            TypeError: if `model` is a model of neither Keras.
            ValueError: if the model is not built.
        """
        found, state = model_state(model)
        paths = [weight.path for weight in found]
        # Arrays of masked weights bring their masks along, unless copied.
        values = [np.array(value) for value in state.values()]
        optimizer = _optimizer_of(model, optimizer)
        slots = None
        if optimizer is not None:
            slots = optimizer_state.variables_of(model, optimizer)

        return cls(
            weights=dict(zip(paths, values, strict=False)),
            step=None
            if optimizer is None
            else optimizer_state.steps_taken(optimizer),
            _model=state.describe(),
            _others=tuple(values[len(paths) :]),
            _optimizer=None if slots is None else slots.describe(),
            _slots=() if slots is None else tuple(slots.values()),
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the snapshot to a file, which replaces a former one.

        The format is that of `numpy.savez`, with a checksum for each array.

        Raises:
            OSError: if the file cannot be written. No partial file is left.
        """
        description = {
            "kind": _KIND,
            "paths": list(self.weights),
            "step": self.step,
            "model": self._model,
            "optimizer": self._optimizer,
        }
        arrays = [*self.weights.values(), *self._others, *self._slots]
        checkpoint_file.write(os.fspath(path), description, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Snapshot":
        """Reads a snapshot that `save` has written.

        Raises:
            ValueError: if the file is damaged or no snapshot.
        """
        path = os.fspath(path)
        if not tf.io.gfile.exists(path):
            raise ValueError(
                "A snapshot must be a file that `Snapshot.save` has written. "
                f"Received: {path!r}, which does not exist. Look for the path "
                "that it was saved to."
            )
        try:
            reader = checkpoint_file.Reader(path)
        except DamagedFileError as error:
            raise ValueError(
                f"A snapshot must be a whole file. Received: {error}. Take the "
                "snapshot again."
            ) from error
        found = reader.description
        if not isinstance(found, Mapping) or found.get("kind") != _KIND:
            raise ValueError(
                "A snapshot must be a file that `Snapshot.save` has written. "
                f"Received: {path!r}, which is not. Checkpoints are restored "
                "by `tf_rigl.Checkpoints`."
            )

        of_optimizer = found["optimizer"]
        variables = [
            *found["model"]["variables"],
            *(of_optimizer["variables"] if of_optimizer else ()),
        ]
        arrays = [
            reader.array(index, tf.as_dtype(variable["dtype"]))
            for index, variable in enumerate(variables)
        ]
        num_weights = len(found["paths"])
        num_values = len(found["model"]["variables"])
        return cls(
            weights=dict(zip(found["paths"], arrays, strict=False)),
            step=found["step"],
            _model=found["model"],
            _others=tuple(arrays[num_weights:num_values]),
            _optimizer=of_optimizer,
            _slots=tuple(arrays[num_values:]),
        )

    def restore(
        self,
        model: Any,
        optimizer: Any = None,
        *,
        weights: bool = True,
        slots: str = "zero",
        step: int | None = None,
    ) -> Any:
        """Rewinds a model to the snapshot, through the masks that it has.

        The model and its optimizer stay the same objects and nothing is
        retraced. What a method remembers of its own stays as it is.

        Retraining as Renda et al. (arXiv:2003.02389) name it: by default
        weight rewinding, with `weights=False` learning rate rewinding. With
        `slots="restore"` the optimizer is rewound, too.

        Args:
            model: a model of the same layers.
            optimizer: the optimizer; by default that of the compiled model, if
                it has one.
            weights: whether weights, moving averages and random generators are
                restored.
            slots: the optimizer's slots become those of a new optimizer
                (`"zero"`, which most are), stay (`"keep"`), or are restored
                (`"restore"`).
            step: number of optimizer steps that count as taken, from which
                learning rate schedules go on; by default the snapshot's, and
                then the learning rate is the snapshot's, too.

        Returns:
            The same model.

        Raises:
            TypeError: if `model` is a model of neither Keras.
            ValueError: if the snapshot is of another model or optimizer, or
                holds none and `slots="restore"`. Nothing has been changed then.
        """
        check_choice("slots", slots, _SLOTS)
        found, state = model_state(model)
        check_same(self, state)
        optimizer = _optimizer_of(model, optimizer)
        held = None
        if optimizer is not None:
            held = optimizer_state.variables_of(model, optimizer)
            if self._optimizer is not None:
                held.check_same("A snapshot", "one", self._optimizer)
        if slots == "restore" and (held is None or self._optimizer is None):
            raise ValueError(
                "Slots are restored from a snapshot of a model and its "
                f"optimizer. Received: slots={slots!r}, but "
                f"{'the model' if held is None else 'the snapshot'} has no "
                "optimizer. Take it of the compiled model, or pass "
                "slots='zero'."
            )

        if weights:
            self._restore_values(found, state)
        if optimizer is None or held is None:
            return model
        if slots == "zero":
            optimizer_state.renew_slots(model, optimizer)
        elif slots == "restore":
            held.assign(self._slots)

        steps = self.step if step is None else step
        if steps is not None:
            optimizer_state.set_steps(optimizer, steps)
        if step is None and self._optimizer is not None:
            optimizer_state.restore_rate(optimizer, held, self._slots)
        return model

    def _restore_values(
        self, found: list[model_weights.ModelWeight], state: TrainingState
    ) -> None:
        """Assigns all values; those at masked positions become zero."""
        for weight, values in zip(found, self.weights.values(), strict=True):
            weight.set_values(values)
        others = state.variables[len(found) :]
        for variable, value in zip(others, self._others, strict=True):
            variable.assign(value)


def check_same(
    snapshot: Snapshot, state: TrainingState, name: str = "one"
) -> None:
    """Checks that a snapshot is of these variables of `model_state`.

    Raises:
        ValueError: if shapes or dtypes differ; it calls the snapshot by the
            given name.
    """
    state.check_same("A snapshot", name, snapshot._model)


def model_state(
    model: Any,
) -> tuple[list[model_weights.ModelWeight], TrainingState]:
    """Returns a model's weights and all of its variables.

    The weights come first, then what else the model and its random generators
    hold, except metrics, which every epoch resets.

    Raises:
        ValueError: if the model is not built.
    """
    flavor = model_flavor(model)
    if not model.built:
        raise ValueError(
            "A model must have its weights before a snapshot is taken or "
            f"restored. Received: model={model.name!r}, which is not built. "
            "Call it on a batch first."
        )

    weights = model_weights.model_weights(model_weights.walk_model(model))
    found = {id(weight.variables[0]): weight.variables[0] for weight in weights}
    names = [weight.path for weight in weights]
    for variable in _other_variables(flavor, model):
        raw = flavor.raw(variable)
        if id(raw) not in found:
            found[id(raw)] = raw
            names.append(getattr(variable, "path", variable.name))
    state = TrainingState(tuple(names), tuple(found.values()))
    return weights, state


def _other_variables(flavor: Flavor, model: Any) -> list[Any]:
    metrics = {
        id(variable)
        for metric in model.metrics
        for variable in metric.variables
    }
    return [
        variable
        for variable in (*model.variables, *flavor.random_state(model))
        if id(variable) not in metrics and flavor.has_value(variable)
    ]


def _optimizer_of(model: Any, optimizer: Any) -> Any:
    if optimizer is not None:
        return optimizer
    return getattr(model, "optimizer", None)
