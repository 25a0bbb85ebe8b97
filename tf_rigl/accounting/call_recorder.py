"""Records the layers that a model calls, and the shapes, in a symbolic call.

The model is only traced: nothing is computed and no variable changes. While it
is traced, each layer is an instance of a subclass of its class whose `__call__`
records the call.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tf_rigl.backend import call_signature
from tf_rigl.backend.call_signature import Shape
from tf_rigl.backend.flavor import set_class
from tf_rigl.backend.model_call import trace_inference
from tf_rigl.masking.layer_rules import known_class

# Operations that multiply tensors with each other, or that hide such ones.
PRODUCTS = frozenset(
    "MatMul BatchMatMul BatchMatMulV2 BatchMatMulV3 Einsum Conv Conv2D Conv3D "
    "Conv2DBackpropInput Conv3DBackpropInputV2 DepthwiseConv2dNative "
    "SparseMatMul SparseTensorDenseMatMul XlaConvV2 XlaDotV2 "
    "PartitionedCall StatefulPartitionedCall While StatelessWhile".split()
)
# Graphs whose operations may run any number of times, or not at all.
REPEATED_GRAPHS = frozenset(
    "CondBranchFuncGraph WhileBodyFuncGraph WhileCondFuncGraph".split()
)
# The name scope in which `tf.vectorized_map` traces the mapped function.
MAPPED_SCOPE = "loop_body"


@dataclasses.dataclass(frozen=True)
class LayerCall:
    """One call of a layer in the forward pass of one example."""

    layer: Any
    # Arguments and outputs have tf.TensorShape in place of each tensor, and
    # None in place of everything else.
    arguments: Sequence[Any]
    keywords: Mapping[str, Any]
    outputs: Any
    # The types of PRODUCTS that the layer itself runs, without sublayers.
    products: tuple[str, ...] = ()
    recurrent: bool = False  # whether an RNN layer makes the call
    repeated: bool = False  # whether any other loop or branch makes it

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


@dataclasses.dataclass
class _Frame:
    """A call of a layer that has not returned yet."""

    graph: tf.Graph
    recurrent: bool  # whether the layer is recurrent
    # The operations of sublayers, as ranges of positions in `graph`.
    inner: list[range] = dataclasses.field(default_factory=list)


def is_recurrent(layer: Any) -> bool:
    """Returns whether a layer runs cells once for each step of a sequence."""
    return known_class(layer, ("RNN",)) is not None


class CallRecorder:
    """Records the calls of layers in one graph and its inner graphs."""

    def __init__(self) -> None:
        self.calls: list[LayerCall] = []
        self._graph: tf.Graph | None = None
        self._frames: list[_Frame] = []
        self._paused = False

    def start(self) -> None:
        """Starts over, in the graph that is being traced now."""
        self.calls.clear()
        self._graph = tf.compat.v1.get_default_graph()

    def call(
        self,
        layer: Any,
        plain_call: Callable[..., Any],
        arguments: tuple[Any, ...],
        keywords: dict[str, Any],
    ) -> Any:
        """Calls a layer by `plain_call` and records the call."""
        graph = tf.compat.v1.get_default_graph()
        if self._paused or not self._is_traced(graph):
            return plain_call(*arguments, **keywords)

        frame = _Frame(graph, is_recurrent(layer))
        start = len(graph.get_operations())
        stepwise = known_class(layer, ("TimeDistributed",)) is not None

        self._frames.append(frame)
        try:
            with self._pause(stepwise):
                outputs = plain_call(*arguments, **keywords)
            if stepwise:
                steps = _call_on_all_steps(layer.layer, arguments, keywords)
                outputs = _with_steps(outputs, steps)
            if known_class(layer, ("TextVectorization",)) is not None:
                outputs = _with_examples(outputs, arguments)
        finally:
            self._frames.pop()

        operations = range(start, len(graph.get_operations()))
        self.calls.append(
            LayerCall(
                layer,
                _shapes_of(arguments),
                _shapes_of(keywords),
                _shapes_of(outputs),
                products=_products(frame, operations),
                recurrent=any(outer.recurrent for outer in self._frames),
                repeated=not frame.recurrent and _is_repeated(graph),
            )
        )

        if self._frames and self._frames[-1].graph is graph:
            self._frames[-1].inner.append(operations)

        return outputs

    def _is_traced(self, graph: tf.Graph) -> bool:
        """Returns whether a graph is the recorded one or within it.

        Keras 2 also calls layers in other graphs, to infer shapes.
        """
        inside = self._graph in _outer_graphs(graph)
        return inside and not tf.executing_eagerly()

    @contextlib.contextmanager
    def _pause(self, paused: bool) -> Iterator[None]:
        before = self._paused
        self._paused = paused
        try:
            yield
        finally:
            self._paused = before


def trace(
    model: Any,
    layers: Sequence[Any],
    example: call_signature.Example,
    before: Callable[[], None] = lambda: None,
) -> None:
    """Calls a model symbolically in inference mode, which also builds it.

    `layers` are the existing layers, including the model. `before` is called
    right before the model, maybe more than once.
    """
    with _functions_inlined():
        trace_inference(
            model, layers, example.arguments, example.keywords, before=before
        )


def record_calls(
    model: Any, layers: Sequence[Any], example: call_signature.Example
) -> list[LayerCall]:
    """Records the calls of `layers` when the model runs on one example.

    The layers include the model, which must be built. Calls are in the order
    in which they return, so a layer follows its sublayers.
    """
    recorder = CallRecorder()
    classes: dict[type, type] = {}

    with contextlib.ExitStack() as stack:
        for layer in layers:
            cls = type(layer)
            if cls not in classes:
                classes[cls] = _recorded_class(cls, recorder)
            stack.callback(set_class, layer, cls)
            set_class(layer, classes[cls])
        trace(model, layers, example, before=recorder.start)
    return recorder.calls


@contextlib.contextmanager
def _functions_inlined() -> Iterator[None]:
    """Runs each `tf.function` within the model as plain Python.

    A function that has been traced before would not call its layers again.
    """
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


def _recorded_class(cls: Any, recorder: CallRecorder) -> type:
    """Makes a subclass of a layer class whose instances record their calls."""

    def call(layer: Any, *arguments: Any, **keywords: Any) -> Any:
        plain_call = functools.partial(cls.__call__, layer)
        return recorder.call(layer, plain_call, arguments, keywords)

    return type(
        cls.__name__, (cls,), {"__call__": call, "__module__": cls.__module__}
    )


def _products(frame: _Frame, operations: range) -> tuple[str, ...]:
    """Lists the types of PRODUCTS that a layer runs outside of sublayers."""
    inner = {position for part in frame.inner for position in part}
    graph_operations = frame.graph.get_operations()
    kinds = {
        graph_operations[position].type
        for position in operations
        if position not in inner
    }
    return tuple(sorted(kinds & PRODUCTS))


def _is_repeated(graph: tf.Graph) -> bool:
    """Returns whether operations traced now may not run exactly once."""
    if MAPPED_SCOPE in graph.get_name_scope().split("/"):
        return True
    return any(
        type(outer).__name__ in REPEATED_GRAPHS
        for outer in _outer_graphs(graph)
    )


def _outer_graphs(graph: tf.Graph | None) -> Iterator[tf.Graph]:
    """Yields a graph, the graph that contains it, and so on outwards."""
    while graph is not None:
        yield graph
        graph = getattr(graph, "outer_graph", None)


def _call_on_all_steps(
    layer: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> int | None:
    """Calls a layer on all steps of a sequence as if each were an example.

    Returns:
        The number of steps, None if it is unknown.
    """
    sequences = arguments[0] if arguments else next(iter(keywords.values()))
    layer(tf.nest.map_structure(_fold_steps, sequences))
    shape = call_signature.as_shape(tf.nest.flatten(sequences)[0].shape)
    return None if shape is None else shape[1]


def _fold_steps(sequences: tf.Tensor) -> tf.Tensor:
    """Reshapes [batch, steps, ...] to [batch * steps, ...]."""
    sizes = call_signature.as_shape(sequences.shape)
    if sizes is None:
        return sequences
    batch, steps, *rest = sizes
    folded = None if batch is None or steps is None else batch * steps
    shape = tf.concat([[-1], tf.shape(sequences)[2:]], axis=0)
    return tf.ensure_shape(tf.reshape(sequences, shape), [folded, *rest])


def _with_examples(outputs: Any, arguments: tuple[Any, ...]) -> Any:
    """Gives one row for each text, which splitting texts makes unknown."""
    texts = tf.nest.flatten(arguments)
    is_dense = isinstance(outputs, tf.Tensor)  # not ragged
    if not texts or not is_dense or not outputs.shape.rank:
        return outputs
    return tf.ensure_shape(outputs, [texts[0].shape[0], *outputs.shape[1:]])


def _with_steps(outputs: Any, steps: int | None) -> Any:
    """Makes the steps of outputs [batch, steps, ...] unknown if `steps` is.

    Keras 3 gives them the size of the batch in this case.
    """
    if steps is not None:
        return outputs
    return tf.nest.map_structure(
        lambda output: tf.compat.v1.placeholder_with_default(
            output, [output.shape[0], None, *output.shape[2:]]
        ),
        outputs,
    )


def _shapes_of(structure: Any) -> Any:
    """Replaces tensors by their tf.TensorShape, anything else by None."""
    return tf.nest.map_structure(
        lambda value: (
            tf.TensorShape(value.shape) if hasattr(value, "shape") else None
        ),
        structure,
    )


def _flat_shapes(structure: Any) -> list[Shape | None]:
    return [
        call_signature.as_shape(shape)
        for shape in tf.nest.flatten(structure)
        if shape is not None
    ]
