"""Checks whether XNNPACK would skip a model's zeros."""

import math
import os
import tempfile
from collections.abc import Iterator
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

from tf_rigl.export.litert import convert
from tf_rigl.export.litert import format
from tf_rigl.export.litert import xnnpack_report
from tf_rigl.export.litert import xnnpack_rules as rules

_PADDED = frozenset(
    {
        schema.BuiltinOperator.CONV_2D,
        schema.BuiltinOperator.DEPTHWISE_CONV_2D,
    }
)
_UNPACKING = frozenset(
    {schema.BuiltinOperator.DENSIFY, schema.BuiltinOperator.DEQUANTIZE}
)
_BEGIN = "Begin with a 3×3 convolution of 3 channels, stride 2 and padding 1."
_END = "End in GlobalAveragePooling2D."
_INT8_WEIGHTS = rules.refuse(
    "its weights are int8",
    "Export float32 or float16: XNNPACK runs nothing else sparse.",
)
_BAD_MEAN = rules.refuse(
    "the sparse kernels get a mean with height and width wrong as an output",
    "Use GlobalAveragePooling2D without keepdims.",
)
_BAD_HEAD = rules.refuse(
    "a 1×1 convolution of the mean is computed wrongly",
    "Use a Dense layer behind GlobalAveragePooling2D.",
)
_OUTPUT = rules.refuse("its output leaves the graph", _END)
_NO_END = rules.refuse("nothing behind it ends the region", _END)
_ELSEWHERE = rules.refuse(
    "it takes what is computed outside of the region",
    "Compute all of it from the first convolution.",
)


def check_xnnpack(
    model: Any, *, inputs: Any = None, batch_size: int | None = None
) -> xnnpack_report.XNNPACKReport:
    """Checks a model against XNNPACK's rules for sparse inference.

    LiteRT runs floating-point models by XNNPACK, which computes only the
    non-zeros of 1×1 convolutions where all of this holds:

    * A region of the graph begins with a 3×3 convolution of 3 channels with
      stride 2 and one row or column of zeros on each side, goes on with 1×1
      convolutions, depthwise 3×3 or 5×5 convolutions (stride 1 or 2, padded
      by 1 or 2 on each side) and elementwise operators, and ends in an
      average over height and width or in depth-to-space. (Of a single pixel
      the converter drops the average, and then nothing ends the region.) A
      fully connected layer that takes the average belongs to it; a 1×1
      convolution must not, nor may an average that keeps height and width be
      an output: the sparse kernels get both wrong. Nothing else uses what is
      computed within.
    * Of the weights of these 1×1 convolutions and that layer more than two
      thirds are zero, all together.
    * Weights are stored as float32 or float16, some of them sparse. Those of
      "dynamic_int8" are run dense, as is whatever computes in integers.
    * The processor is not an x86 with AVX: there XNNPACK holds its dense
      kernels to be faster and never uses the others. This is not checked.

    That is what the sources say. In TensorFlow 2.21 it was seen with XNNPACK
    kept from finding AVX: MobileNet v1 with 90 % zeros ran in less than a
    quarter of the time of its dense kernels for such processors, to the same
    outputs, and with a 1×1 convolution as its head to wrong ones.

    Args:
        model: a Keras model of either flavor, trained or not; or the path or
            the bytes of a LiteRT file.
        inputs: what a Keras model is called on, as for `export_litert`.
        batch_size: as for `export_litert`.

    Returns:
        The operators with what is wrong and how to fix it. For a Keras model
        that is still dense, `fits` says whether it is worth training sparse.

    Raises:
        TypeError: if `model` is none of these.
        ValueError: if the converter refuses the model, or the file is not
            a LiteRT file.

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
    if is_file:
        content = bytes(model)
        if not format.is_model(content):
            raise ValueError(
                "A LiteRT file must be one. Received: a file that begins with "
                f"{content[:8]!r}. Pass a file of `export_litert` or a model."
            )
    else:
        with tempfile.TemporaryDirectory() as folder:
            convert.save_for_converter(folder, model, inputs, batch_size)
            content = convert.convert(folder)

    graph = format.read(content)
    return _check(graph, not is_file or _holds_sparse(graph))


def _holds_sparse(graph: Any) -> bool:
    """Returns whether weights are stored in the way that XNNPACK looks for."""
    return any(
        # Sparse int8 weights were seen to be run dense, in float.
        tensor.sparsity is not None and tensor.type != schema.TensorType.INT8
        for subgraph in graph.subgraphs
        for tensor in subgraph.tensors
    )


class _Node(NamedTuple):
    """An operator as XNNPACK sees it: constants unpacked, padding fused."""

    operator: Any
    verdict: rules.Verdict
    sources: tuple[int, ...]  # tensors that are computed before
    pointwise: bool  # a 1×1 convolution
    dense: bool  # a fully connected layer


def _check(graph: Any, stored_sparse: bool) -> xnnpack_report.XNNPACKReport:
    subgraph = graph.subgraphs[0]
    nodes = list(_nodes(graph, subgraph))
    region = _region(graph, subgraph, nodes)

    rows = []
    for index, node in enumerate(nodes):
        verdict = region.get(index)
        inside = verdict is not None
        weights = zeros = 0
        if inside and (node.pointwise or node.dense):
            weights, zeros = _count(graph, subgraph, node.operator)

        output = subgraph.tensors[node.operator.outputs[0]]
        # The converter adds both to a name with the layer's in it.
        name = format.name(output).partition(";")[0]
        name = name.removeprefix("StatefulPartitionedCall/")
        rows.append(
            xnnpack_report.OperatorCheck(
                name=name,
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
    """Yields the operators but those that unpack constants or add zeros.

    Those that make lookup tables take or give nothing, and are left out, too.
    """
    unpacked = _unpacked(graph, subgraph)
    takers = format.consumers(subgraph)
    padded: dict[int, tuple[int, rules.Padding]] = {}

    for operator in subgraph.operators:
        if not (len(operator.inputs) and len(operator.outputs)):
            continue
        output = int(operator.outputs[0])
        if output in unpacked:
            continue

        padding = rules.zero_padding(graph, subgraph, operator)
        if padding is not None and len(takers.get(output, [])) == 1:
            taker, _ = takers[output][0]
            if format.kind(graph, taker) in _PADDED:
                padded[output] = (int(operator.inputs[0]), padding)
                continue

        source, amount = padded.get(
            int(operator.inputs[0]), (int(operator.inputs[0]), None)
        )
        others = [int(one) for one in operator.inputs[1:]]

        yield _Node(
            operator=operator,
            verdict=(
                _INT8_WEIGHTS
                if any(
                    subgraph.tensors[unpacked.get(index, index)].type
                    == schema.TensorType.INT8
                    for index in others
                    if index >= 0
                )
                else rules.judge(graph, subgraph, operator, amount)
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


def _unpacked(graph: Any, subgraph: Any) -> dict[int, int]:
    """Maps tensors that are unpacked from constants to those constants."""
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
    """Finds the operators of the region by their indices, with what is wrong.

    Where an operator cannot be part of it, the search goes on behind it as if
    it could, so that all problems are found at once.
    """
    region: dict[int, rules.Verdict] = {}
    reached: set[int] = set()  # tensors of the region
    ended: set[int] = set()  # those behind its end
    start = _find_start(graph, nodes)
    results = {int(index) for index in subgraph.outputs}

    for index, node in enumerate(nodes):
        outputs = {int(one) for one in node.operator.outputs}
        if index == start:
            region[index] = _as_start(node)
            reached |= outputs
        elif reached.intersection(node.sources):
            region[index] = _within(node, reached)
            shape = format.shape(subgraph.tensors[min(outputs)])
            # Behind what is no picture any more nothing could be sparse.
            is_end = node.verdict.role == rules.Role.END or len(shape) != 4
            (ended if is_end else reached).update(outputs)
        elif node.dense and ended.issuperset(node.sources):
            is_int8 = node.verdict is _INT8_WEIGHTS
            region[index] = (
                node.verdict if is_int8 else rules.Verdict(rules.Role.INSIDE)
            )
        elif node.pointwise and ended.intersection(node.sources):
            region[index] = _BAD_HEAD

        if index in region and outputs & results:
            shape = format.shape(subgraph.tensors[min(outputs)])
            leaves = _OUTPUT if outputs & reached else _BAD_MEAN
            if len(shape) == 4 and not region[index].problem:
                region[index] = leaves

    if region and not ended and not region[max(region)].problem:
        region[max(region)] = _NO_END
    return region


def _find_start(graph: Any, nodes: list[_Node]) -> int | None:
    """Finds the convolution at which a region begins, or should."""
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
    if node.verdict.role == rules.Role.INSIDE:
        return rules.refuse("the graph begins with it", _BEGIN)
    return node.verdict


def _within(node: _Node, reached: set[int]) -> rules.Verdict:
    if node.verdict.problem:
        return node.verdict
    if node.verdict.role == rules.Role.START:
        return rules.refuse("a 3×3 convolution behind the first", _BEGIN)
    return node.verdict if reached.issuperset(node.sources) else _ELSEWHERE


def _count(graph: Any, subgraph: Any, operator: Any) -> tuple[int, int]:
    """Counts the elements of a kernel and its zeros."""
    index = int(operator.inputs[1])
    index = _unpacked(graph, subgraph).get(index, index)
    tensor = subgraph.tensors[index]
    elements = math.prod(format.shape(tensor))
    data = format.data(graph, tensor)
    dtype = format.WEIGHT_TYPES.get(tensor.type)
    if data is None or dtype is None:
        return elements, 0
    return elements, elements - int(np.count_nonzero(data.view(dtype)))
