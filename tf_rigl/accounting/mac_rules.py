"""Rules that count the multiply-accumulates of known layers.

A rule returns how often a call uses each element of a weight. Multiplied by the
number of active connections, that gives the MACs. The batch dimension is
counted like any other, so that layers that fold other dimensions into it are
counted correctly.

By convention, kernels and the products of attention count, zeros of padding
included. Biases, activations, normalization, pooling, look-ups and
preprocessing do not.
"""

from collections.abc import Callable
from collections.abc import Iterable
from typing import Any
from typing import NamedTuple

from tf_rigl.accounting import factored_macs
from tf_rigl.accounting.call_recorder import LayerCall
from tf_rigl.backend.call_signature import Shape
from tf_rigl.masking.connections import of_layer
from tf_rigl.masking.layer_rules import known_class

UNKNOWN_SIZE = (
    "a size it depends on is unknown; pass `inputs` with all sizes to `profile`"
)


class Uncountable(Exception):
    """Raised with the reason if the MACs of a call cannot be counted."""


class MacRule(NamedTuple):
    """The functions that count the multiplications of a class of layers."""

    # Returns the weights of a layer that multiply activations.
    weights: Callable[[Any], list[Any]]
    # Counts how often a call uses each element of these weights.
    times: Callable[[LayerCall], int]
    # Counts a call's multiplications of activations by activations.
    products: Callable[[LayerCall], int]


def rule_of(layer: Any) -> MacRule | None:
    """Returns the rule for a layer's class or its nearest known base."""
    name = known_class(layer, RULES)
    return None if name is None else RULES[name]


def recurrent_cells(layer: Any) -> list[Any]:
    """Lists the known cells of an RNN layer, each run once per time step."""
    stacked = known_class(layer.cell, ("StackedRNNCells",))
    cells = layer.cell.cells if stacked else [layer.cell]
    return [cell for cell in cells if known_class(cell, CELLS)]


def _attributes(*names: str) -> Callable[[Any], list[Any]]:
    """Makes a function that lists the given attributes if a layer has them.

    Factors stand for the kernels whose product they are, and the values of
    connections for a kernel that is stored by them.
    """

    def weights(layer: Any) -> list[Any]:
        # What stands for a kernel is a variable beside others, or several.
        replaced = {
            **{key: [one[0]] for key, one in of_layer(layer).items()},
            **{
                key: factored.variables
                for key, factored in factored_macs.factors_of(layer).items()
            },
        }
        found = [
            weight
            for name in names
            # A replaced kernel would be made anew by reading it.
            for weight in (
                replaced[name]
                if name in replaced
                else [getattr(layer, name, None)]
            )
        ]
        return [weight for weight in found if weight is not None]

    return weights


def _zero(call: LayerCall) -> int:
    del call
    return 0


def _weights(times: Callable[[LayerCall], int], *names: str) -> MacRule:
    return MacRule(_attributes(*names), times, _zero)


def _products(count: Callable[[LayerCall], int]) -> MacRule:
    return MacRule(_attributes(), _zero, count)


def _size(sizes: Iterable[int | None]) -> int:
    """Multiplies sizes; raises Uncountable if one of them is unknown."""
    result = 1
    for size in sizes:
        if size is None:
            raise Uncountable(UNKNOWN_SIZE)
        result *= size
    return result


def _known(shape: Shape | None) -> Shape:
    if shape is None:
        raise Uncountable(UNKNOWN_SIZE)
    return shape


def _output_vectors(call: LayerCall) -> int:
    """Counts the output vectors, which lie along the last dimension."""
    return _size(_known(call.output)[:-1])


def _positions(call: LayerCall, shape: Shape | None) -> int:
    """Counts the spatial or temporal positions of all examples in a batch."""
    shape = _known(shape)
    if call.layer.data_format == "channels_first":
        return _size((shape[0], *shape[2:]))
    return _size(shape[:-1])


def _output_positions(call: LayerCall) -> int:
    return _positions(call, call.output)


def _input_positions(call: LayerCall) -> int:
    return _positions(call, call.input())


def _examples(call: LayerCall) -> int:
    return _size(_known(call.input())[:1])


def _steps(call: LayerCall) -> int:
    """Counts the time steps of all examples in a batch."""
    return _size(_known(call.input(0, "sequences"))[:2])


def _weights_of_cells(layer: Any) -> list[Any]:
    cells = recurrent_cells(layer)
    return [weight for cell in cells for weight in _CELL.weights(cell)]


def _einsum(call: LayerCall) -> int:
    """Returns the product of the sizes of all indices the kernel lacks."""
    operands, output = call.layer.equation.split("->")
    data, kernel = operands.split(",")
    sizes: dict[str, int | None] = {}
    for term, shape in ((data, call.input()), (output, call.output)):
        shape = _known(shape)
        for label, size in zip(_labels(term, len(shape)), shape, strict=True):
            if sizes.get(label) is None:
                sizes[label] = size
    return _size(size for label, size in sizes.items() if label not in kernel)


def _labels(term: str, rank: int) -> list[str]:
    """Lists the indices of a term of an einsum.

    Indices of an ellipsis are numbered from the right, where they align.
    """
    before, dots, after = term.partition("...")
    hidden = rank - len(before) - len(after) if dots else 0
    return [*before, *(f"...{i}" for i in reversed(range(hidden))), *after]


def _reverse_weights(layer: Any) -> list[Any]:
    name = "embeddings" if layer.tie_weights else "reverse_embeddings"
    return _attributes(name)(layer)


def _reverse_vectors(call: LayerCall) -> int:
    """Counts the vectors of a projection; an embedding look-up is free."""
    return _size(_known(call.input())[:-1]) if call.products else 0


def _multi_head_attention(call: LayerCall) -> int:
    """Counts scores and weighted means; the projections are sublayers."""
    layer = call.layer
    width = layer._key_dim + layer._value_dim
    return _attention(call, layer._attention_axes, layer._num_heads * width)


def _grouped_query_attention(call: LayerCall) -> int:
    width = 2 * call.layer.head_dim
    return _attention(call, (1,), call.layer.num_query_heads * width)


def _attention(call: LayerCall, axes: Iterable[int], width: int) -> int:
    """Returns width · T_query · T_key, for each index of the other axes."""
    query = _known(call.input(0, "query"))
    value = _known(call.input(1, "value"))
    axes = [axis % len(query) for axis in axes]
    keys = _size(value[axis] for axis in axes)
    return width * keys * _size(query[:-1])


def _dot_attention(call: LayerCall) -> int:
    mode = getattr(call.layer, "score_mode", "dot")
    if mode != "dot":
        raise Uncountable(f"score_mode={mode!r} is not counted, only 'dot' is")
    query, value = map(_known, call.inputs()[:2])
    return _pairs(call) * (_size(query[-1:]) + _size(value[-1:]))


def _additive_attention(call: LayerCall) -> int:
    """Counts the weighted means; the scores multiply the weight `scale`."""
    return _pairs(call) * _size(_known(call.inputs()[1])[-1:])


def _pairs(call: LayerCall) -> int:
    """Counts the pairs of a query and a key in all examples of a batch."""
    query, value = map(_known, call.inputs()[:2])
    return _size(query[:-1]) * _size(value[1:-1])


def _dot(call: LayerCall) -> int:
    first = _known(call.inputs()[0])
    axes = call.layer.axes
    axis = axes if isinstance(axes, int) else axes[0]
    return _size(_known(call.output)) * _size([first[axis]])


# Layers without multiplications that count by the convention.
NOTHING = MacRule(_attributes(), _zero, _zero)
_CELL = _weights(_examples, "kernel", "recurrent_kernel")
_CONVOLUTION = _weights(_output_positions, "kernel")
_TRANSPOSED = _weights(_input_positions, "kernel")
_SEPARABLE = _weights(_output_positions, "depthwise_kernel", "pointwise_kernel")
# Keras 3 names the weight `kernel`, Keras 2 `depthwise_kernel`.
_DEPTHWISE = _weights(_output_positions, "depthwise_kernel", "kernel")

# Each position has weights of its own.
_LOCAL = _weights(_examples, "kernel")

# The cells that an RNN layer runs once per time step.
CELLS: dict[str, MacRule] = {
    "SimpleRNNCell": _CELL,
    "GRUCell": _CELL,
    "LSTMCell": _CELL,
}

# Layer classes of either Keras, by the keys of `masking.layer_rules.RULES`. A
# user's subclass counts like its base. Classes without weights and products
# need no entry.
RULES: dict[str, MacRule] = {
    **CELLS,
    "Dense": _weights(_output_vectors, "kernel"),
    "EinsumDense": _weights(_einsum, "kernel"),
    "Conv1D": _CONVOLUTION,
    "Conv2D": _CONVOLUTION,
    "Conv3D": _CONVOLUTION,
    "Conv1DTranspose": _TRANSPOSED,
    "Conv2DTranspose": _TRANSPOSED,
    "Conv3DTranspose": _TRANSPOSED,
    "SeparableConv1D": _SEPARABLE,
    "SeparableConv2D": _SEPARABLE,
    "DepthwiseConv1D": _DEPTHWISE,
    "DepthwiseConv2D": _DEPTHWISE,
    "LocallyConnected1D": _LOCAL,
    "LocallyConnected2D": _LOCAL,
    "RNN": MacRule(_weights_of_cells, _steps, _zero),
    "MultiHeadAttention": _products(_multi_head_attention),
    "GroupedQueryAttention": _products(_grouped_query_attention),
    "Attention": _products(_dot_attention),
    "AdditiveAttention": MacRule(
        _attributes("scale"), _pairs, _additive_attention
    ),
    "Dot": _products(_dot),
    "ReversibleEmbedding": MacRule(_reverse_weights, _reverse_vectors, _zero),
    **dict.fromkeys(
        (
            "Embedding StackedRNNCells TimeDistributed Bidirectional PReLU "
            "BatchNormalization SyncBatchNormalization LayerNormalization "
            "GroupNormalization RMSNormalization UnitNormalization "
            "SpectralNormalization LayerScale Normalization Discretization "
            "AdaptiveAveragePooling1D AdaptiveAveragePooling2D "
            "AdaptiveAveragePooling3D"
        ).split(),
        NOTHING,
    ),
}
