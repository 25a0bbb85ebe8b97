"""The models of a sweep from Python, which a user's function builds."""

import dataclasses
import hashlib
import inspect
import re
import weakref
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf

import tf_rigl
from tf_rigl import accounting
from tf_rigl.accounting import ModelProfile
from tf_rigl.algorithms import registry
from tf_rigl.algorithms.algorithm import Algorithm
from tf_rigl.algorithms.registry import UpdatePlan
from tf_rigl.backend.flavor import model_flavor
from tf_rigl.experiments import methods
from tf_rigl.masking.masked_weight import masked_weights


class OwnMethod(NamedTuple):
    """A method of the command line, or an algorithm object of the user."""

    name: str  # as in `methods.find`
    algorithm: Algorithm | None = None  # the object, if it is one

    @property
    def sparsify(self) -> Mapping[str, Any]:
        """The arguments of `tf_rigl.sparsify` that the method requires."""
        if self.algorithm is None:
            return methods.METHODS[self.name].sparsify
        structures = {
            row.class_name: row.sparsify_arguments().get("structure")
            for row in registry.ROWS
            if row.structure is not None
        }
        structure = structures.get(type(self.algorithm).__name__)
        required = {} if structure is None else {"structure": structure}
        if self.algorithm.requirements.start == "dense":
            required["start"] = "dense"
        return required

    def make_algorithm(self, model: Any, plan: UpdatePlan) -> Algorithm:
        """Makes the algorithm for a masked model.

        An object of the user gets the seed of the plan, if it has one.
        """
        if self.algorithm is not None:
            return _with_seed(self.algorithm, plan.seed)
        make: Any = methods.METHODS[self.name].algorithm
        algorithm = make(plan)
        if hasattr(algorithm, "never_ablate"):
            # The row names the classifier of our own networks. Here, it is
            # taken to be the last masked weight.
            last = masked_weights(model)[-1].key
            algorithm = dataclasses.replace(algorithm, never_ablate=(last,))
        return algorithm


class OwnModels:
    """Builds the models of runs by the user's function.

    Args:
        build: the function.
        batch: a batch of the training data, to build models that were not.
        arguments: arguments of `tf_rigl.sparsify` for all methods.

    Raises:
        TypeError: if `build` is no function.
        ValueError: if it returns no model, or one that is not compiled.
    """

    def __init__(
        self,
        build: Callable[..., Any],
        batch: Any,
        arguments: Mapping[str, Any],
    ) -> None:
        if not callable(build):
            raise TypeError(
                "`build` must be a function that returns a compiled model. "
                f"Received: build={build!r}. Pass the function that builds "
                "and compiles the model."
            )
        self._build = build
        self._inputs = batch[0] if isinstance(batch, tuple) else batch
        self._arguments = dict(arguments)
        self._last: Callable[[], Any] = lambda: None

        # Which Keras it builds with is only known from a model.
        first = self._call()
        self.keras = model_flavor(first).keras
        # Keras numbers models that have no name of their own.
        self.name = re.sub(r"_\d+$", "", first.name)
        self.description = _describe(first)

    def check(self, method: OwnMethod) -> None:
        """Raises a ValueError if the function cannot serve a method."""
        if methods.find(method.name).small and not self._takes_width():
            raise ValueError(
                "The method 'small_dense' needs a `build` that takes the "
                "argument `width`, a multiplier of the widths of its layers. "
                f"Received: {_name(self._build)}. Add the argument, or leave "
                "the method out."
            )

    def make(self, method: OwnMethod, sparsity: float, seed: int) -> Any:
        """Builds the compiled model of a run, masked for its method.

        Raises:
            ValueError: if the sparsity or the method does not suit the model.
        """
        chosen = methods.find(method.name)
        if chosen.small:
            return self._small(sparsity, seed)
        model = self._seeded(seed)
        if not chosen.is_sparse:
            return model
        return self._sparsify(model, sparsity, seed, method.sparsify)

    def profile(self, model: Any) -> ModelProfile:
        """Profiles a model on a batch of the data."""
        # A dictionary would be taken for the arguments of `call`.
        is_named = isinstance(self._inputs, Mapping)
        return tf_rigl.profile(model, None if is_named else self._inputs)

    def _small(self, sparsity: float, seed: int) -> Any:
        sparse = self._sparsify(
            self._seeded(seed), sparsity, seed, {"start": "random"}
        )
        budget = self.profile(sparse).nonzeros
        return accounting.match_width(
            lambda width: self._seeded(seed, width=width), parameters=budget
        ).model

    def _sparsify(
        self,
        model: Any,
        sparsity: float,
        seed: int,
        required: Mapping[str, Any],
    ) -> Any:
        # What the method requires goes before what the user prefers.
        arguments = {**self._arguments, **required}
        return tf_rigl.sparsify(model, sparsity, seed=seed, **arguments)

    def _takes_width(self) -> bool:
        return "width" in inspect.signature(self._build).parameters

    def _seeded(self, seed: int, **arguments: float) -> Any:
        self.keras.utils.set_random_seed(seed)
        # Layers without names get the same in each run and after a resume.
        self.keras.backend.reset_uids()
        return self._call(**arguments)

    def _call(self, **arguments: float) -> Any:
        """Calls the function and checks the model; builds it if needed."""
        model = self._build(**arguments)
        source = _name(self._build)
        try:
            model_flavor(model)
        except TypeError as error:
            raise ValueError(
                "`build` must return a model of Keras 3 or tf_keras. Received: "
                f"{source}, which returned {type(model).__name__}."
            ) from error
        if getattr(model, "optimizer", None) is None:
            raise ValueError(
                "`build` must return a compiled model. Received: "
                f"{source}, whose model {model.name!r} has no optimizer. Call "
                "`model.compile` in it."
            )
        if model is self._last():
            raise ValueError(
                "`build` must return a new model each time. Received: "
                f"{source}, which returned {model.name!r} again. Build the "
                "model in the function."
            )

        self._last = weakref.ref(model)
        if not model.built:
            model(self._inputs)
        if masked_weights(model):
            raise ValueError(
                "`build` must return a dense model, which the sweep makes "
                f"sparse. Received: {source}, whose model {model.name!r} has "
                "masks. Leave `sparsify` to the sweep."
            )
        return model


def _with_seed(algorithm: Algorithm, seed: int) -> Algorithm:
    if not dataclasses.is_dataclass(algorithm):
        return algorithm
    if "seed" not in {one.name for one in dataclasses.fields(algorithm)}:
        return algorithm
    return dataclasses.replace(algorithm, seed=seed)


def _describe(model: Any) -> dict[str, Any]:
    """Describes a compiled model by what tells it from another one."""
    shapes = [tuple(weight.shape) for weight in model.weights]
    values = sum(int(np.prod(shape)) for shape in shapes)
    digest = hashlib.sha256(repr(shapes).encode()).hexdigest()[:8]
    return {
        "keras": model_flavor(model).keras.__name__,
        "model": f"{len(shapes)} weights of {values:,} values ({digest})",
        **_facts("optimizer", model.optimizer),
        **_facts("loss", getattr(model, "loss", None)),
    }


def _facts(name: str, value: Any) -> dict[str, Any]:
    """Describes an argument of `compile` by plain values, by dotted names.

    They are the same in every process: names of objects, which Keras numbers,
    are left out.
    """
    if isinstance(value, Mapping):
        found = {
            f"{name}.{key}": one for key, one in value.items() if key != "name"
        }
    elif isinstance(value, list | tuple):
        found = {f"{name}.{index}": one for index, one in enumerate(value)}
    elif hasattr(value, "get_config"):
        facts = _facts(name, value.get_config())
        return {name: type(value).__name__, **facts}
    else:
        if isinstance(value, np.generic | tf.Tensor | tf.Variable):
            value = np.asarray(value).tolist()
        if isinstance(value, float):
            value = float(f"{value:.6g}")  # which was a float32
        if not isinstance(value, str | int | float | None):
            value = methods.text_of(value)
        return {} if value is None else {name: value}
    return {
        k: v for key, one in found.items() for k, v in _facts(key, one).items()
    }


def _name(function: Any) -> str:
    module = getattr(function, "__module__", "")
    name = getattr(function, "__qualname__", type(function).__name__)
    return f"{module}.{name}".removeprefix("__main__.")
