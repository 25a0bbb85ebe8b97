"""Calls of layers, as the rules of plans see them."""

import dataclasses
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.export.plan.activations import Activation
from tf_rigl.export.plan.activations import recognize
from tf_rigl.export.plan.steps import Network
from tf_rigl.native.plan_graph import ACTIVATIONS
from tf_rigl.native.plan_graph import Shape
from tf_rigl.surgery.features import Operand

# What works with any layer.
_ELSEWHERE = (
    "Export the model with tf_rigl.export_litert or tf_rigl.export_saved_model"
)

# Of a value, besides the batch.
MOST_DIMENSIONS = 3


class Unsupported(Exception):
    """Raised if a layer has no steps, with what to do instead."""

    def __init__(self, problem: str, fix: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.fix = fix or f"{_ELSEWHERE}."


@dataclasses.dataclass(frozen=True)
class Call:
    """One call of a layer, a Keras 3 operation or a function of TensorFlow."""

    network: Network
    flavor: flavors.Flavor
    layer: Any
    path: str  # the layer's path in the model
    values: tuple[int, ...]  # numbers of the values that it is called on
    # The positional and the keyword arguments, an `Operand` for each tensor.
    arguments: tuple[Any, Any] = ((), {})
    is_masked: bool = False  # whether a mask comes with one of its inputs
    # Of the symbolic tensors, which stands for any; None if it is open.
    batch: int | None = None

    def of(self, layer: Any) -> "Call":
        """Returns the same call for a layer that is part of this one."""
        return dataclasses.replace(self, layer=layer)

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shapes of the inputs, without the batch."""
        return tuple(self.network.shapes[value] for value in self.values)

    def only(self) -> int:
        """Returns the only input.

        Raises:
            Unsupported: if there are several.
        """
        if len(self.values) != 1:
            raise Unsupported(f"it is called on {len(self.values)} tensors")
        return self.values[0]

    def image(self) -> Shape:
        """Returns the shape of the only input, which must be an image.

        Raises:
            Unsupported: if it has other than one or two dimensions in space,
                or its channels come first.
        """
        shape = self.network.shapes[self.only()]
        order = getattr(self.layer, "data_format", None) or "channels_last"
        if order != "channels_last":
            raise Unsupported(
                f"its data_format is {order!r}",
                "Build the model with data_format='channels_last'; kernels "
                "are the same.",
            )
        if len(shape) not in (2, 3):
            raise Unsupported(
                f"its inputs have {len(shape) - 1} dimensions in space",
                "Plans have one or two.",
            )
        return shape

    def add(
        self,
        kind: str,
        inputs: Sequence[int],
        shape: Sequence[int],
        attributes: Mapping[str, Any] | None = None,
        arrays: Mapping[str, np.ndarray] | None = None,
    ) -> int:
        """Adds a step of this layer and returns the value that it makes."""
        if not 1 <= len(shape) <= MOST_DIMENSIONS:
            raise Unsupported(
                f"its outputs have {len(shape)} dimensions besides the batch",
                f"Plans have one to {MOST_DIMENSIONS}.",
            )
        network = self.network
        step = network.add(kind, self.path, inputs, shape, attributes, arrays)
        return step.output

    def constant(self, array: Any) -> int:
        """Adds what is the same for each input, `[*shape]`."""
        array = np.asarray(array, np.float32)
        value = self.add("constant", (), array.shape, {}, {"value": array})
        self.network.constants[value] = array
        return value

    def reshape(self, value: int, shape: Sequence[int]) -> int:
        """Gives a value another shape of as many elements."""
        if tuple(shape) == self.network.shapes[value]:
            return value
        return self.add("reshape", [value], shape)

    def product(
        self, value: int, kernel: np.ndarray, bias: np.ndarray | None = None
    ) -> int:
        """Adds a product of the last dimension with `[inputs, outputs]`."""
        shape = self.network.shapes[value]
        arrays = {"kernel": kernel}
        if bias is not None:
            arrays["bias"] = bias
        return self.add(
            "dense", [value], (*shape[:-1], kernel.shape[-1]), {}, arrays
        )

    def affine(self, value: int, scale: Any = 1.0, offset: Any = 0.0) -> int:
        """Adds `scale · x + offset` of numbers or arrays [channels]."""
        shape = self.network.shapes[value]
        arrays = {"scale": scale, "offset": offset}
        wide = {
            name: np.broadcast_to(np.asarray(one, np.float32), shape[-1:])
            for name, one in arrays.items()
        }
        return self.add("affine", [value], shape, {}, wide)

    def activate(self, value: int, function: Callable[[Any], Any]) -> int:
        """Applies a function of tensors that is an activation.

        Raises:
            Unsupported: if it is none that plans have.
        """
        rank = len(self.network.shapes[value]) + 1
        found = recognize(function, rank)
        if found is None:
            name = getattr(function, "__name__", None) or repr(function)
            raise Unsupported(
                f"plans do not have its activation ({name})",
                "Use one of " + ", ".join(ACTIVATIONS) + ".",
            )
        return self.apply(value, found)

    def apply(self, value: int, found: Activation) -> int:
        """Applies an activation."""
        if not (found.scale == 1 and found.offset == 0):
            value = self.affine(value, found.scale, found.offset)
        if found.name != "linear":
            shape = self.network.shapes[value]
            value = self.add("activation", [value], shape, found.attributes)
        return value if found.after == 1 else self.affine(value, found.after)

    def array(self, name: str) -> np.ndarray:
        """Returns a weight or another array that is an attribute of the layer.

        Raises:
            Unsupported: if it is quantized.
        """
        value = as_array(getattr(self.layer, name))
        mode = getattr(self.layer, "quantization_mode", None)
        if mode is not None:
            raise Unsupported(
                f"its weights are quantized ({mode})",
                "Export the model from before `quantize`; `export_plan` has "
                "its own weights of fewer bits.",
            )
        return value

    def evaluate(self, *tensors: Any) -> Any:
        """Calls the layer or function eagerly, on tensors for its inputs."""

        def put(leaf: Any) -> Any:
            return tensors[leaf.index] if isinstance(leaf, Operand) else leaf

        args, kwargs = tf.nest.map_structure(put, self.arguments)
        try:
            return self.layer(*args, **kwargs)
        except (TypeError, ValueError, tf.errors.OpError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise Unsupported(
                f"it cannot be called on numbers alone ({reason})"
            ) from error

    def argument(self, name: str, position: int, default: Any = None) -> Any:
        """Returns an argument of a function.

        Keras 3 keeps most of them as attributes of the operation; `position`
        is that among the arguments of TensorFlow's function.
        """
        args, kwargs = self.arguments
        if name in kwargs:
            return kwargs[name]
        if not hasattr(self.layer, "symbol") and hasattr(self.layer, name):
            return getattr(self.layer, name)
        return args[position] if len(args) > position else default


def as_array(value: Any) -> np.ndarray:
    """Returns a Keras variable, a tensor or a number as an array of floats.

    It is float64, but for kernels, of which there may be hundreds of megabytes.
    """
    array = np.asarray(value.numpy() if hasattr(value, "numpy") else value)
    is_kernel = array.ndim > 1 and array.dtype == np.float32
    return array if is_kernel else array.astype(np.float64)
