"""Initial values of a large weight at some positions, without all of them.

Initializers of Keras draw by one of TensorFlow's stateless generators, whose
numbers are a function of seed and position, and scale the result elementwise.
Here an initializer is traced, which computes nothing, and its graph is run for
one block of positions after the other: the values are those of the whole, bit
for bit.
"""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.core.connections import BLOCK

# By generator, the steps of its counter for every four numbers. One that
# rejects numbers keeps 256 in store for each that it returns.
_STEPS = {
    "StatelessRandomUniformV2": 1,
    "StatelessRandomNormalV2": 1,
    "StatelessTruncatedNormalV2": 256,
}
_ELEMENTWISE = frozenset(
    "Add AddV2 Cast Identity Maximum Minimum Mul Neg RealDiv Sub".split()
)


class BlockValues:
    """The values that an initializer gives a weight.

    `find` makes one.

    Args:
        function: the traced initializer, a concrete function.
        sources: the operations that make tensors of the weight's size.
    """

    def __init__(self, function: Any, sources: Sequence[tf.Operation]) -> None:
        self._function = function
        self._sources = sources
        self._block = tf.function(
            self._make_block,
            input_signature=[
                tf.TensorSpec([], tf.int64),
                tf.TensorSpec([], tf.int64),
            ],
            autograph=False,
        )

    def all(self) -> tf.Tensor:
        """Returns all values, a dense tensor of the weight's shape."""
        return self._function()

    def at(self, positions: np.ndarray) -> tf.Tensor:
        """Returns some values, in memory for them and one block.

        Args:
            positions: int64 [n], flat positions in any order.
        """
        (whole,) = self._function.outputs
        size = whole.shape.num_elements()
        if size <= BLOCK:
            return tf.gather(tf.reshape(self.all(), [-1]), positions)
        order = np.argsort(positions)
        ordered = positions[order]

        found = np.empty(len(positions), whole.dtype.as_numpy_dtype)
        for start in np.unique(ordered // BLOCK) * BLOCK:
            length = min(BLOCK, size - start)
            first, end = np.searchsorted(ordered, (start, start + length))
            block = self._block(start, length)
            own = tf.gather(block, ordered[first:end] - start)
            found[order[first:end]] = own.numpy()
        return tf.constant(found)

    def _make_block(self, start: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
        """Returns a piece of the flat weight, from a multiple of 4 on."""
        graph = self._function.graph.as_graph_def()
        whole = self._function.outputs[0].name
        replaced: dict[str, tf.Tensor] = {}
        for source in self._sources:
            shape = source.inputs[0]
            replaced[shape.name] = tf.cast(length, shape.dtype)[None]
            if source.type == "Fill":
                continue
            counter = source.inputs[2].name
            (begin,) = tf.graph_util.import_graph_def(
                graph, return_elements=[counter]
            )
            steps = start // 4 * _STEPS[source.type]
            moved = tf.stack([tf.cast(steps, tf.uint64), 0])
            replaced[counter] = begin + moved
        (block,) = tf.graph_util.import_graph_def(
            graph, input_map=replaced, return_elements=[whole]
        )
        return block


def find(
    initializer: Callable[..., tf.Tensor], shape: Sequence[int], dtype: tf.DType
) -> BlockValues | None:
    """Traces an initializer; returns None unless its blocks can be computed.

    They can where it draws by `tf.random.stateless_uniform`,
    `stateless_normal` or `stateless_truncated_normal` from a fixed seed, or
    fills with a constant, and then computes with scalars: all initializers of
    both Kerases except orthogonal matrices, identities and given arrays.

    Args:
        initializer: called with a shape and a dtype.
        shape: the shape of the weight.
        dtype: its dtype.
    """
    shape = tuple(shape)
    if tf.TensorShape(shape).num_elements() in (0, 1, None):
        return None
    try:
        function = tf.function(
            lambda: tf.convert_to_tensor(initializer(shape, dtype=dtype)),
            autograph=False,
        ).get_concrete_function()
    except Exception:  # of users' code: the same that makes the weight raises
        return None

    (whole,) = function.outputs
    if function.captured_inputs or whole.shape != shape or whole.dtype != dtype:
        return None
    sources: dict[str, tf.Operation] = {}
    if not _collect_sources(whole, shape, sources):
        return None
    return BlockValues(function, list(sources.values()))


def _collect_sources(
    tensor: tf.Tensor, shape: tuple[int, ...], found: dict[str, tf.Operation]
) -> bool:
    """Lists the operations that make a tensor of the weight's shape.

    Returns:
        False if it is computed otherwise than from them by elements.
    """
    operation = tensor.op
    if operation.type == "Fill" or operation.type in _STEPS:
        found[operation.name] = operation
        return True
    return operation.type in _ELEMENTWISE and all(
        operand.shape.rank == 0
        or (operand.shape == shape and _collect_sources(operand, shape, found))
        for operand in operation.inputs
    )
