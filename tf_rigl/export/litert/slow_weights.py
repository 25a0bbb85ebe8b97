"""Warns of weights that LiteRT computes more slowly sparse than dense."""

import warnings
from typing import Any

from tensorflow.lite.python import schema_py_generated as schema

from tf_rigl.export.litert import format

_OPERATOR = schema.BuiltinOperator
# Operators with kernels for int8 weights and float activations that are faster
# than those for float weights. Of depthwise and transposed convolutions they
# are slower, so there it is no loss to do without them.
_FASTER_IN_INT8 = frozenset({_OPERATOR.CONV_2D, _OPERATOR.FULLY_CONNECTED})


def warn_if_slower(model: Any) -> None:
    """Warns if a `ModelT` holds weights that are slower sparse than dense.

    Measured by `benchmarks/export_latency.py` in LiteRT 2.3: of all formats and
    kinds of layers these are the only ones.
    """
    count = sum(_count_slower(model, one) for one in model.subgraphs)
    if not count:
        return

    warnings.warn(
        "A 'dynamic_int8' file with sparse weights is smaller and slower than "
        f"one with dense weights: {count} of its layers unpack theirs to "
        "float32 and take as long as in a float32 file. Measured in LiteRT 2.3 "
        "on x86: 3 to 15 times as long as with dense int8 weights. For speed, "
        "pass quantization='full_int8', which is as fast sparse as dense, or "
        "options=tf_rigl.LiteRTOptions(sparse=False).",
        stacklevel=1,
    )


def _count_slower(model: Any, subgraph: Any) -> int:
    """Counts the sparse weights that a faster operator would take as int8."""
    takers = format.consumers(subgraph)

    def takers_of(operator: Any, kind: int) -> list[Any]:
        if format.kind(model, operator) != kind:
            return []
        return takers.get(int(operator.outputs[0]), [])

    return sum(
        format.kind(model, user) in _FASTER_IN_INT8 and position == 1
        for unpacking in subgraph.operators
        for step, _ in takers_of(unpacking, _OPERATOR.DENSIFY)
        if subgraph.tensors[step.inputs[0]].type == schema.TensorType.INT8
        for user, position in takers_of(step, _OPERATOR.DEQUANTIZE)
    )
