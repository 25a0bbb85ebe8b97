"""Checks whether XNNPACK would skip the zeros of a model's weights."""

import math
import os
import re
import tempfile
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

from tf_rigl.export.litert import convert
from tf_rigl.export.litert import format
from tf_rigl.export.litert import layer_scopes
from tf_rigl.export.litert import rewrite
from tf_rigl.export.litert import xnnpack_report
from tf_rigl.export.litert import xnnpack_rules as rules

_PADDED = frozenset(
    {
        schema.BuiltinOperator.CONV_2D,
        schema.BuiltinOperator.DEPTHWISE_CONV_2D,
    }
)
# TensorFlow's operations with a kernel, as Keras names them, but for numbers.
_PRODUCTS = frozenset(
    {"Conv2D", "MatMul", "Tensordot", "convolution", "depthwise"}
)
# The converter numbers the names that it gives twice.
_NUMBER = re.compile(r"(?<=[a-zD])_?\d+$")
_UNPACKING = frozenset(
    {schema.BuiltinOperator.DENSIFY, schema.BuiltinOperator.DEQUANTIZE}
)
_END = "End in GlobalAveragePooling2D and a Dense layer."
_INT8_WEIGHTS = rules.refuse(
    "its weights are int8",
    "Export with quantization='float32' or 'float16': XNNPACK runs nothing "
    "else sparse.",
)
_BAD_MEAN = rules.refuse(
    "the sparse kernels get a mean with height and width wrong as an output",
    "Use GlobalAveragePooling2D without keepdims.",
)
_BAD_HEAD = rules.refuse(
    "a 1×1 convolution of the mean is computed wrongly",
    "Use a Dense layer behind GlobalAveragePooling2D() instead.",
)
_OUTPUT = rules.refuse("its output leaves the graph", _END)
_NO_END = rules.refuse("nothing behind it ends the region", _END)
_ELSEWHERE = rules.refuse(
    "it takes what is computed outside of the region",
    "Leave out what is computed behind an average (squeeze-and-excitation) or "
    "beside the first convolution (a branch from the images).",
)


def check_xnnpack(
    model: Any, *, inputs: Any = None, batch_size: int | None = None
) -> xnnpack_report.XNNPACKReport:
    """Checks a model against XNNPACK's conditions for sparse inference.

    LiteRT runs floating-point models with XNNPACK. It skips the zeros of 1×1
    convolutions if all of these conditions hold:

    * The convolutions are in a region of the graph that begins with a 3×3
      convolution of 3 channels with stride 2, padded by 1 on each side. It
      contains only 1×1 convolutions, depthwise 3×3 or 5×5 convolutions (stride
      1 or 2, padded by 1 or 2 on each side) and elementwise operators. It ends
      with an average over height and width or with depth-to-space. (If the
      picture has a single pixel, the converter drops the average, and the
      region has no end.) Operators outside of the region do not use tensors
      within it.
    * After the average, the region may continue with a fully connected layer,
      but not with a 1×1 convolution. An average that keeps height and width
      must not be an output. The sparse kernels compute both wrongly.
    * More than two thirds of the weights of these 1×1 convolutions and that
      layer are zero, counted together.
    * Weights are stored as float32 or float16, and at least one of them sparse.
      XNNPACK runs "dynamic_int8" and everything that computes in integers
      dense.
    * The processor is not an x86 with AVX, for which XNNPACK considers its
      dense kernels faster. This is not checked.

    These conditions are taken from XNNPACK's sources and were confirmed in
    TensorFlow 2.21 with the detection of AVX disabled: MobileNet v1 with 90 %
    zeros took less than a quarter of the time of the dense kernels without AVX
    and gave the same outputs. With a 1×1 convolution as its head, the outputs
    were wrong.

    Args:
        model: a Keras model of either flavor, trained or not; or the path or
            the bytes of a LiteRT file.
        inputs: the inputs of a Keras model's call, as for `export_litert`.
        batch_size: as for `export_litert`.

    Returns:
        A report of all operators, with the problems and how to fix them. For a
        Keras model that is still dense, its `fits` tells whether the model can
        run sparse once it has enough zeros.

    Raises:
        TypeError: if `model` is none of these.
        ValueError: if the converter refuses the model, or if the file is not a
            LiteRT file.

    Example:
        >>> print(tf_rigl.check_xnnpack(model))

    Reference: Elsen et al., "Fast Sparse ConvNets", arXiv:1911.09723;
    `xnn_subgraph_rewrite_for_nchw` in src/subgraph.c and
    `xnn_is_chw_compatible_config` in src/xnnpack/hardware-config.h of
    github.com/google/XNNPACK; tensorflow/lite/delegates/xnnpack/README.md,
    "Sparse Inference".
    """
    if isinstance(model, (str, os.PathLike)):
        with tf.io.gfile.GFile(os.fspath(model), "rb") as file:
            model = file.read()

    is_file = isinstance(model, (bytes, bytearray))
    layers: Sequence[str] = ()
    if is_file:
        content = bytes(model)
        if not format.is_model(content):
            raise ValueError(
                "A LiteRT file must be one. Received: a file that begins with "
                f"{content[:8]!r}. Pass a file of `export_litert` or a model."
            )
    else:
        with tempfile.TemporaryDirectory() as folder:
            with layer_scopes.numbered(model) as layers:
                convert.save_for_converter(folder, model, inputs, batch_size)
            content = convert.convert(folder)

    graph = format.read(content)
    return _check(graph, layers, not is_file or _holds_sparse(graph))


def _holds_sparse(graph: Any) -> bool:
    """Returns whether a file stores weights sparse that XNNPACK may skip."""
    return any(
        # Sparse int8 weights were seen to be unpacked to dense floats.
        tensor.sparsity is not None and tensor.type != schema.TensorType.INT8
        for subgraph in graph.subgraphs
        for tensor in subgraph.tensors
    )


class _Node(NamedTuple):
    """An operator as XNNPACK sees it: constants unpacked, padding fused."""

    operator: Any
    verdict: rules.Verdict
    sources: tuple[int, ...]  # indices of its inputs that are not constant
    pointwise: bool  # whether it is a 1×1 convolution
    dense: bool  # whether it is a fully connected layer


def _check(
    graph: Any, layers: Sequence[str], stored_sparse: bool
) -> xnnpack_report.XNNPACKReport:
    """Checks a `ModelT`.

    `layers` are the names that `layer_scopes.layer_name` takes, and
    `stored_sparse` is that of the report.
    """
    subgraph = graph.subgraphs[0]
    nodes = list(_nodes(graph, subgraph))
    region = _region(graph, subgraph, nodes)

    rows = []
    makers: dict[int, str] = {}  # Names of the layers of computed tensors.
    for index, node in enumerate(nodes):
        verdict = region.get(index)
        inside = verdict is not None
        weights = zeros = 0
        if inside and (node.pointwise or node.dense):
            weights, zeros = _count(graph, subgraph, node.operator)

        name = layer_scopes.layer_name(
            _operation_names(graph, subgraph, node.operator), layers
        )
        if not name:
            before = (makers.get(source) for source in node.sources)
            name = f"behind {next(filter(None, before), 'the inputs')}"
        makers.update(dict.fromkeys(map(int, node.operator.outputs), name))

        rows.append(
            xnnpack_report.OperatorCheck(
                name=name,
                tensor=format.name(subgraph.tensors[node.operator.outputs[0]]),
                operation=format.kind_name(graph, node.operator),
                in_region=inside,
                weights=weights,
                zeros=zeros,
                problem="" if verdict is None else verdict.problem,
                fix="" if verdict is None else verdict.fix,
            )
        )

    return xnnpack_report.XNNPACKReport(tuple(rows), stored_sparse)


def _nodes(graph: Any, subgraph: Any) -> Iterator[_Node]:
    """Yields the operators that XNNPACK sees, with their verdicts.

    It does not see operators that unpack constants, and a PAD before a
    convolution becomes the convolution's padding. Operators without inputs or
    outputs, which create lookup tables, are left out as well.
    """
    unpacked = _unpacked(graph, subgraph)
    consumers = format.consumers(subgraph)
    # For the output of a fused PAD: the PAD's input and amounts.
    padded: dict[int, tuple[int, rules.Padding]] = {}
    is_first = True  # Whether no convolution has come before.

    for operator in subgraph.operators:
        if not (len(operator.inputs) and len(operator.outputs)):
            continue
        output = int(operator.outputs[0])
        if output in unpacked:
            continue

        # A PAD is fused if nothing but a convolution uses its output.
        padding = rules.zero_padding(graph, subgraph, operator)
        if padding is not None and len(consumers.get(output, [])) == 1:
            consumer, _ = consumers[output][0]
            if format.kind(graph, consumer) in _PADDED:
                padded[output] = (int(operator.inputs[0]), padding)
                continue

        source, amount = padded.get(
            int(operator.inputs[0]), (int(operator.inputs[0]), None)
        )
        others = [int(index) for index in operator.inputs[1:]]
        has_int8_weights = any(
            subgraph.tensors[unpacked.get(index, index)].type
            == schema.TensorType.INT8
            for index in others
            if index >= 0
        )

        yield _Node(
            operator=operator,
            verdict=(
                _INT8_WEIGHTS
                if has_int8_weights
                else rules.judge(graph, subgraph, operator, amount, is_first)
            ),
            sources=tuple(
                index
                for index in (source, *others)
                if index >= 0
                and index not in unpacked
                and format.data(graph, subgraph.tensors[index]) is None
            ),
            pointwise=rules.is_pointwise(graph, subgraph, operator),
            dense=rules.is_dense(graph, operator),
        )
        if format.kind(graph, operator) == schema.BuiltinOperator.CONV_2D:
            is_first = False


def _unpacked(graph: Any, subgraph: Any) -> dict[int, int]:
    """Maps the indices of unpacked tensors to those of their constants."""
    found: dict[int, int] = {}
    for operator in subgraph.operators:
        if format.kind(graph, operator) not in _UNPACKING:
            continue
        source = int(operator.inputs[0])
        source = found.get(source, source)
        if format.data(graph, subgraph.tensors[source]) is not None:
            found[int(operator.outputs[0])] = source
    return found


def _region(
    graph: Any, subgraph: Any, nodes: list[_Node]
) -> dict[int, rules.Verdict]:
    """Finds the operators of the region.

    If an operator cannot be part of the region, the search continues behind it
    as if it could, so that all problems are found at once.

    Returns:
        The verdicts on these operators by their indices among `nodes`.
    """
    region: dict[int, rules.Verdict] = {}
    inside: set[int] = set()  # tensors within the region
    ended: set[int] = set()  # tensors that are computed by its end
    start = _find_start(graph, nodes)
    graph_outputs = {int(index) for index in subgraph.outputs}

    for index, node in enumerate(nodes):
        outputs = {int(output) for output in node.operator.outputs}
        shape = format.shape(subgraph.tensors[min(outputs)])
        if index == start:
            region[index] = _as_start(node)
            inside |= outputs
        elif inside.intersection(node.sources):
            region[index] = _within(node, inside)
            # The region consists of pictures, so any other tensor ends it.
            is_end = node.verdict.role == rules.Role.END or len(shape) != 4
            (ended if is_end else inside).update(outputs)
        elif node.dense and ended.issuperset(node.sources):
            is_int8 = node.verdict is _INT8_WEIGHTS
            region[index] = (
                node.verdict if is_int8 else rules.Verdict(rules.Role.INSIDE)
            )
        elif node.pointwise and ended.intersection(node.sources):
            region[index] = _BAD_HEAD

        # No picture of the region may be an output of the graph.
        if index in region and outputs & graph_outputs:
            refused = _OUTPUT if outputs & inside else _BAD_MEAN
            if len(shape) == 4 and not region[index].problem:
                region[index] = refused

    if region and not ended and not region[max(region)].problem:
        region[max(region)] = _NO_END
    return region


def _find_start(graph: Any, nodes: list[_Node]) -> int | None:
    """Returns the index of the convolution that begins a region.

    If no convolution can, it is the first one, so that its problem is reported.
    """
    convolutions = [
        index
        for index, node in enumerate(nodes)
        if format.kind(graph, node.operator) == schema.BuiltinOperator.CONV_2D
    ]

    starts = (
        index
        for index in convolutions
        if nodes[index].verdict.role == rules.Role.START
    )
    return next(starts, next(iter(convolutions), None))


def _as_start(node: _Node) -> rules.Verdict:
    """Returns the verdict on the first operator of the region."""
    if node.verdict.role == rules.Role.INSIDE:
        return rules.refuse("the graph begins with it", rules.BEGIN)
    return node.verdict


def _within(node: _Node, inside: set[int]) -> rules.Verdict:
    """Returns the verdict on a later operator of the region.

    `inside` are the tensors of the region, from which it must be computed.
    """
    if node.verdict.problem:
        return node.verdict
    if node.verdict.role == rules.Role.START:
        return rules.refuse(
            "a 3×3 convolution behind the first", rules.separable(3, 2)
        )
    return node.verdict if inside.issuperset(node.sources) else _ELSEWHERE


def _operation_names(graph: Any, subgraph: Any, operator: Any) -> list[str]:
    """Lists names of TensorFlow operations that an operator computes.

    That of a product with a kernel comes first: the converter names an operator
    after all that it has fused into it, such as an activation.
    """
    names = format.name(subgraph.tensors[operator.outputs[0]]).split(";")
    if format.kind(graph, operator) not in rewrite.WEIGHTED:
        return names

    kernel = int(operator.inputs[1])
    kernel = _unpacked(graph, subgraph).get(kernel, kernel)
    names = [*format.name(subgraph.tensors[kernel]).split(";"), *names]

    def is_other(name: str) -> bool:
        return _NUMBER.sub("", name.rpartition("/")[2]) not in _PRODUCTS

    return sorted(names, key=is_other)


def _count(graph: Any, subgraph: Any, operator: Any) -> tuple[int, int]:
    """Returns the number of elements of a kernel and of zeros among them."""
    index = int(operator.inputs[1])
    index = _unpacked(graph, subgraph).get(index, index)
    tensor = subgraph.tensors[index]
    elements = math.prod(format.shape(tensor))
    data = format.data(graph, tensor)
    dtype = format.WEIGHT_TYPES.get(tensor.type)
    if data is None or dtype is None:
        return elements, 0
    return elements, elements - int(np.count_nonzero(data.view(dtype)))
