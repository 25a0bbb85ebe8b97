"""Networks as lists of operations on arrays, which plans are made of.

What Keras's layers become, and what the native library packs and runs. NumPy
is enough to read and to write one. Values have the shapes that Keras's layers
have, channels last and without the batch; how they lie in memory while a plan
runs is the runtime's choice.

Kinds of operations, with their attributes and their float32 arrays; those in
brackets may be missing:

* `dense`: activation; kernel `[inputs, outputs]`, (bias).
* `convolution`: strides, padding, dilation, groups, activation; kernel
  `[*size, inputs / groups, outputs]`, (bias).
* `depthwise`: strides, padding, dilation, activation; kernel
  `[*size, channels, multiplier]`, (bias).
* `pool`: mode, size, strides, padding. `global_pool`: mode, keep_dimensions.
* `pad`: padding.
* `affine`: activation; scale `[channels]`, offset `[channels]`.
* `add`, `multiply`: activation.
* `activation`: activation.
* `concatenate`: (axis). `reshape`.
* `constant`, which reads nothing: value `[*shape]`.
* `normalize`: epsilon, is_centered; (scale `[channels]`),
  (offset `[channels]`).
* `transpose`: order. `slice`: starts, strides.
* `embedding`: table `[rows, width]`.
* `attention`: heads, key_heads, scale, is_causal.
* `matrix_product`: is_transposed.
* `recurrence`: cell, direction, returns, gate, candidate; kernel
  `[units, gates · units]`, (bias `[gates · units]`).

A mode is `"max"` or `"average"`, an activation one of `ACTIVATIONS`;
`negative_slope` comes with `"leaky_relu"` only. Sizes, strides and dilation
have a number for each dimension in space, padding a pair of numbers of zeros,
before and after.

* `dense` is of the last dimension, whatever is before it.
* Images have one dimension in space or two: `[length, channels]`,
  `[height, width, channels]`.
* The channel c of an image goes to outputs `c · multiplier` and following of a
  `depthwise` convolution.
* No pool sees the zeros of its padding, as with Keras's `"same"`: an average
  does not count them, and a maximum may be below 0.
* `add` and `multiply` read two or more values, which have the shape of the
  output or 1 in some of its dimensions.
* `convolution` and `depthwise` may read a second value of the output's shape,
  which is added before the activation: the other branch of a residual block.
* `concatenate` is along the last dimension or the axis, which does not count
  the batch. `softmax` is over the last dimension, and so is `normalize`, which
  divides by √(variance + epsilon), without subtracting the mean if it is not
  centered.
* Axis i of the output of a `transpose` is axis order[i] of its input.
* `slice` takes positions from starts in steps of strides, one of each for each
  dimension in space; the shape of the output says how many.
* An `embedding` reads an input of the network: whole numbers of rows. Others
  are an error when the plan is run.
* `attention` reads queries `[n, heads · size]`, keys `[m, key_heads · size]`
  and values `[m, key_heads · other]`; its output is `[n, heads · other]`. Head
  i has the keys of i · key_heads // heads. Where it is causal, no position sees
  keys behind it.
* `matrix_product` is of the last two dimensions, for each of the first; if it
  is transposed, of the rows of the second value.
* `reshape` takes the elements in Keras's order, also for `Flatten`.
* `recurrence` is what has to wait for the step before. It reads the products
  with the inputs, `[steps, gates · units]`, and the states to begin with, zeros
  if none are given. Its kernel and bias are those of the state. Cells, with
  their directions and what they return, are in `plan_recurrence`; gate and
  candidate are a `plan_recurrence.GateFunction` each.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

ACTIVATIONS = (
    "linear",
    "relu",
    "relu6",
    "leaky_relu",
    "elu",
    "sigmoid",
    "hard_sigmoid",  # relu6(x + 3) / 6
    "tanh",
    "swish",  # x · sigmoid(x)
    "hard_swish",  # x · relu6(x + 3) / 6
    "gelu",
    "gelu_tanh",  # Keras's approximate=True
    "softmax",
)

Shape = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Operation:
    """One step of a network: see the list of this module."""

    kind: str
    name: str  # the path of the layer that it comes from, for messages
    inputs: tuple[int, ...]  # numbers of values
    output: int  # number of the value that it makes
    attributes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Graph:
    """A network: its values by number, and its operations in their order.

    Zeros of kernels are connections that are not there.
    """

    shapes: tuple[Shape, ...]  # of each value, without the batch
    inputs: tuple[int, ...]  # numbers of values
    outputs: tuple[int, ...]
    operations: tuple[Operation, ...]
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()

    def rows(self, value: int) -> int:
        """Returns of how many rows an input is a number, 0 if of none.

        Of several embeddings, it is those of the smallest.
        """
        tables = (
            len(one.arrays["table"])
            for one in self.operations
            if one.kind == "embedding" and value in one.inputs
        )
        return min(tables, default=0)

    def elements(self, value: int) -> int:
        """Returns the number of elements of a value of one example."""
        return math.prod(self.shapes[value])
