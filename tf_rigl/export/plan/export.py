"""Exports sparse models as plans, which run fast on CPUs."""

import math
import os
from typing import Any

import numpy as np

from tf_rigl import native
from tf_rigl.backend import atomic_files
from tf_rigl.backend import call_signature
from tf_rigl.backend import flavor as flavors
from tf_rigl.core.checks import check_choice
from tf_rigl.export.litert import run
from tf_rigl.export.plan import read
from tf_rigl.export.plan import report
from tf_rigl.export.plan.steps import WEIGHTED
from tf_rigl.masking import masked_for_now
from tf_rigl.masking import masked_weight
from tf_rigl.masking import tree
from tf_rigl.native import plan_file
from tf_rigl.native.plan_graph import Graph
from tf_rigl.native.plan_graph import Operation
from tf_rigl.updating import low_precision
from tf_rigl.updating import supermasks

# The largest error as a fraction of the largest output, and that from models
# which compute in 16 bits themselves. That of int8 depends on the model.
_TOLERANCES = {"float32": 1e-3, "float16": 0.1}
_TOLERANCE_OF_16_BITS = 0.1


@masked_for_now.stored_masked
def export_plan(
    model: Any,
    path: str | os.PathLike[str],
    *,
    precision: str = "float32",
    inputs: Any = None,
    overwrite: bool = False,
) -> report.PlanReport:
    """Writes a plan: the whole network in one file, which runs sparse.

    `tf_rigl.native.Plan(path)` runs it on a CPU without TensorFlow, and skips
    the zeros of kernels. BatchNormalization, activations, padding and residual
    sums become part of the convolutions that they follow. Images have one size,
    batches any. `check_plan` says what each layer becomes.

    The file is portable; which vector instructions run it is chosen where it
    is loaded. Writing one needs no native library. Where it is there, the file
    is run first, and its outputs are compared with the model's on random
    inputs.

    The model is not changed. Only its inference is exported.

    Args:
        model: a Sequential, functional, subclassed or nested model of Keras 3
            or tf_keras: a sparse one, or a plain one with zeros, such as
            `strip` returns. Its layers must be ones that plans have. A
            subclassed model is called on symbolic tensors to see its layers.
        path: the file to write, local or a path that `tf.io.gfile` supports.
        precision: how kernels are stored: `"float32"`, exactly; `"float16"`,
            rounded; or `"int8"`, rounded to 255 steps for each output. A plan
            computes in float32 whatever it is. Biases are never rounded. The
            report tells the largest error of an output.
        inputs: the inputs of the model's call, as for `export_saved_model`, if
            it was never called or leaves the size of images open: arrays,
            tf.TensorSpec or shapes with the batch dimension, such as
            `(None, 224, 224, 3)`.
        overwrite: whether to replace what is at `path`.

    Returns:
        A report of the file and its kernels; `str()` of it is a table.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if plans do not have one of its layers; if the size of an
            input is open; if `path` exists or cannot be written; if
            `precision` is unknown; if `low_precision` is on; or if an output of
            the file differs from the model's. Nothing is written then.

    Example:
        >>> report = tf_rigl.export_plan(model, "model.plan")
        >>> plan = tf_rigl.native.Plan("model.plan")
        >>> outputs = plan(images)
    """
    check_choice("precision", precision, plan_file.PRECISIONS)
    low_precision.check_full(tree.walk(flavors.model_flavor(model), model))
    graph = read.graph_of(model, inputs)
    supermasks.warn_of_draw(masked_weight.masked_weights(model))

    with atomic_files.new_folder(path, overwrite) as (draft, _):
        data = plan_file.encode(graph, precision=precision)
        difference = _compare(model, inputs, graph, data)
        _check_difference(difference, _tolerance(model, precision))
        with atomic_files.open_whole(draft) as file:
            file.write(data)

    return report.PlanReport(
        path=os.fspath(path),
        rows=tuple(
            _row(one) for one in graph.operations if one.kind in WEIGHTED
        ),
        steps=len(graph.operations),
        precision=precision,
        file_bytes=len(data),
        error=difference and difference.error,
        relative_error=difference and difference.relative,
    )


def random_inputs(
    call: call_signature.CallSignature, graph: Graph
) -> dict[str, np.ndarray]:
    """Draws the inputs on which a plan is compared, by name.

    What an embedding reads is numbers of its rows, whatever its type.
    """
    random = np.random.default_rng(0)
    examples = run.random_inputs(call, None)
    for (name, one), value in zip(examples.items(), graph.inputs, strict=True):
        if rows := graph.rows(value):
            drawn = random.integers(0, rows, one.shape)
            examples[name] = drawn.astype(one.dtype)
    return examples


def _compare(
    model: Any, inputs: Any, graph: Graph, data: bytes
) -> run.Difference | None:
    """Compares a plan with its model; None without the native library."""
    if not native.available():
        return None
    call = call_signature.call_signature(model, inputs)
    examples = random_inputs(call, graph)
    args, kwargs = call_signature.pack_arguments(call, examples.values())
    kwargs = {**kwargs, "training": False}
    outputs = call_signature.name_outputs(model(*args, **kwargs))
    expected = {name: np.asarray(one) for name, one in outputs.items()}

    made = native.Plan(data)(*examples.values())
    made = made if isinstance(made, tuple) else (made,)
    return run.compare(
        expected, dict(zip(graph.output_names, made, strict=True))
    )


def _tolerance(model: Any, precision: str) -> float:
    nodes = tree.walk(flavors.model_flavor(model), model)
    dtypes = {getattr(one.layer, "compute_dtype", None) for one in nodes}
    tolerance = _TOLERANCES.get(precision, math.inf)
    if not dtypes.isdisjoint(("float16", "bfloat16")):
        return max(tolerance, _TOLERANCE_OF_16_BITS)
    return tolerance


def _check_difference(
    difference: run.Difference | None, tolerance: float
) -> None:
    if difference is None or difference.within(tolerance):
        return
    raise ValueError(
        "A plan must compute what the model computes, to "
        f"{tolerance:g} of the largest output. Received: outputs that differ "
        f"by {difference.error:.3g}, {difference.relative:.3g} of the "
        "largest. If the model itself computes no finite numbers, train it "
        "first; else this is an error of the library."
    )


def _row(operation: Operation) -> report.StepReport:
    kernel = operation.arrays["kernel"]
    return report.StepReport(
        operation.name,
        operation.kind,
        kernel.shape,
        kernel.size,
        int(np.count_nonzero(kernel)),
    )
