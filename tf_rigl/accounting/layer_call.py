"""The record of a layer's call."""

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tf_rigl.backend.call_signature import Shape
from tf_rigl.backend.call_signature import as_shape


@dataclasses.dataclass(frozen=True)
class LayerCall:
    """One call of a layer in the forward pass of one example."""

    layer: Any
    # Structures like those of the arguments and outputs: tf.TensorShape for
    # each tensor, None for everything else.
    arguments: Sequence[Any]
    keywords: Mapping[str, Any]
    outputs: Any
    # Kinds of operations in PRODUCTS that the layer, not its sublayers, runs.
    products: tuple[str, ...] = ()
    recurrent: bool = False  # whether within an RNN layer
    repeated: bool = False  # whether within any other loop or branch

    def input(self, position: int = 0, name: str = "inputs") -> Shape | None:
        """Returns the shape of an argument; None if not given or unknown."""
        shapes = self.inputs(position, name)
        return shapes[0] if shapes else None

    def inputs(
        self, position: int = 0, name: str = "inputs"
    ) -> list[Shape | None]:
        """Returns the shapes of all tensors of an argument."""
        if position < len(self.arguments):
            structure = self.arguments[position]
        elif position == 0 and name not in self.keywords:
            structure = next(iter(self.keywords.values()), None)
        else:
            structure = self.keywords.get(name)
        return _flat_shapes(structure)

    @property
    def output(self) -> Shape | None:
        """The shape of the first output."""
        shapes = _flat_shapes(self.outputs)
        return shapes[0] if shapes else None


def shapes_of(structure: Any) -> Any:
    """Puts tf.TensorShape in place of tensors and None for the rest."""
    return tf.nest.map_structure(
        lambda value: (
            tf.TensorShape(value.shape) if hasattr(value, "shape") else None
        ),
        structure,
    )


def _flat_shapes(structure: Any) -> list[Shape | None]:
    return [
        as_shape(shape)
        for shape in tf.nest.flatten(structure)
        if shape is not None
    ]
