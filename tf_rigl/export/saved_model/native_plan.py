"""SavedModels in which one operation of the native library runs the model."""

import os
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend import atomic_files
from tf_rigl.backend import native_ops
from tf_rigl.export.endpoints import Captures
from tf_rigl.export.endpoints import Endpoint
from tf_rigl.export.endpoints import trace_endpoints
from tf_rigl.export.folders import folder_bytes
from tf_rigl.export.plan import read
from tf_rigl.export.saved_model import artifact
from tf_rigl.export.saved_model import pack
from tf_rigl.export.saved_model import report
from tf_rigl.masking.model_weights import walk_model
from tf_rigl.native import library
from tf_rigl.native import plan_file
from tf_rigl.native.plan_graph import Graph
from tf_rigl.updating import low_precision


def check(compression: Any, values: Any, signatures: Any) -> None:
    """Checks the other arguments of `export_saved_model`.

    Raises:
        ValueError: if there is one that plans do not have, or no operation
            that runs plans.
    """
    if compression != pack.SMALLEST or signatures:
        raise ValueError(
            "`runtime='native'` must come without `compression` and "
            f"`signatures`. Received: compression={compression!r}, "
            f"signatures={signatures!r}. Leave them out."
        )
    if values not in plan_file.PRECISIONS:
        raise ValueError(
            "With `runtime='native'`, `values` must be one of "
            f"{', '.join(map(repr, plan_file.PRECISIONS))}. Received: "
            f"values={values!r}."
        )
    if not native_ops.available():
        raise ValueError(
            "`runtime='native'` needs the native library. Received: "
            f"{library.why_unavailable()}"
        )


def export(
    model: Any,
    path: str | os.PathLike[str],
    inputs: Any,
    overwrite: bool,
    values: str = "float32",
) -> report.ExportReport:
    """Exports a model whose layers are dense as one operation.

    Arguments and errors are those of `export_saved_model`.
    """
    graph = read.graph_of(model, inputs)
    walked = walk_model(model)
    low_precision.check_full(walked.nodes)
    with atomic_files.new_folder(path, overwrite) as (folder, _):
        (endpoint,) = trace_endpoints(walked, inputs, None)
        row = save(folder, endpoint, graph, values)
    return report.ExportReport(os.fspath(path), (row,), folder_bytes(path))


def save(
    folder: str, endpoint: Endpoint, graph: Graph, values: str
) -> report.WeightReport:
    """Saves a SavedModel that runs a model's plan.

    Args:
        folder: where to write it.
        endpoint: the model's call, whose arguments and outputs it has.
        graph: the model as a network, with the same inputs and outputs.
        values: how kernels are stored; see `plan_file.encode`.

    Returns:
        The row of the plan.
    """
    data = plan_file.encode(graph, precision=values)
    # Where there is a GPU, it would be copied from there for each call.
    with tf.device("CPU:0"):
        plan = tf.constant(np.frombuffer(data, np.uint8))
    function = _function(endpoint, graph, plan)
    artifact.save_plain(
        folder,
        [endpoint._replace(function=function)],
        Captures({}, {}, []),
    )

    arrays = [
        array
        for operation in graph.operations
        for array in operation.arrays.values()
    ]
    elements = sum(array.size for array in arrays)
    return report.WeightReport(
        path="all of the model",
        shape=(len(data),),
        encoding=report.PLAN,
        values=values,
        elements=elements,
        nonzeros=sum(int(np.count_nonzero(array)) for array in arrays),
        bytes=len(data),
        dense_bytes=4 * elements,
        error=max(
            (
                plan_file.rounding_error(one, values)
                for one in graph.operations
                if plan_file.has_weight(one)
            ),
            default=0.0,
        ),
    )


def _function(endpoint: Endpoint, graph: Graph, plan: tf.Tensor) -> Any:
    """Traces the call of a plan, which is like that of the model."""
    structure = endpoint.function.structured_outputs

    def infer(*arguments: Any, **keywords: Any) -> Any:
        leaves = tf.nest.flatten((arguments, keywords))
        given = [
            tf.cast(leaf, tf.float32) for leaf in leaves if tf.is_tensor(leaf)
        ]
        outputs = native_ops.run_plan(given, plan, len(graph.outputs))
        made = [
            tf.cast(
                tf.ensure_shape(output, (None, *graph.shapes[value])),
                expected.dtype,
            )
            for output, value, expected in zip(
                outputs, graph.outputs, tf.nest.flatten(structure), strict=True
            )
        ]
        return tf.nest.pack_sequence_as(structure, made)

    arguments, keywords = endpoint.call
    return tf.function(infer, autograph=False).get_concrete_function(
        *arguments, **keywords
    )
