"""Exports sparse models as LiteRT files, for phones and small processors."""

import math
import os
import posixpath
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_rigl import _deprecations
from tf_rigl.backend import atomic_files
from tf_rigl.backend.call_signature import CallSignature
from tf_rigl.core.checks import check_choice
from tf_rigl.core.checks import check_options
from tf_rigl.export.endpoints import Endpoint
from tf_rigl.export.litert import convert
from tf_rigl.export.litert import format
from tf_rigl.export.litert import options as options_of_litert
from tf_rigl.export.litert import report
from tf_rigl.export.litert import run
from tf_rigl.export.litert import slow_weights
from tf_rigl.export.litert.options import LiteRTOptions
from tf_rigl.export.litert.rewrite import sparsify

# The largest share of the largest output that a file may be off where nothing
# is rounded to int8; where it is, that depends on model and data.
_TOLERANCES = {"float32": 1e-3, "float16": 0.1}
_LOOPS = frozenset({"While", "StatelessWhile"})
_NOT_RUN = (
    "Not compared with the model: the interpreter of Python has none of "
    "TensorFlow's operations."
)
_DENSE_IS_SMALLER = "All weights are dense: the file is smaller so."


@_deprecations.moved_arguments(
    options_of_litert.MOVED,
    "0.2",
    _deprecations.fold_into("options", LiteRTOptions),
)
def export_litert(
    model: Any,
    path: str | os.PathLike[str],
    quantization: str | None = None,
    representative_data: Any = None,
    *,
    inputs: Any = None,
    batch_size: int | None = None,
    overwrite: bool = False,
    options: LiteRTOptions | None = None,
) -> report.LiteRTReport:
    """Writes a LiteRT file in which sparse weights take little space.

    TensorFlow's converter makes the file; then each weight that is smaller so
    is stored as its values and their positions, in LiteRT's own format, which
    is unpacked as the file is loaded. It is not faster for that, unless XNNPACK
    runs it sparse: `check_xnnpack` says whether it can, for float32 and
    float16.

    Before it is written, the file is run and its outputs are compared with the
    model's: by `ai-edge-litert` where that is installed, and else by
    TensorFlow's interpreter, which is deprecated. The report says by which.
    Seen to run files with sparse weights: LiteRT 1.4 to 2.3, TensorFlow 2.18 to
    2.21, OpenVINO 2026.4. tf2onnx takes dense ones only, by
    `options=LiteRTOptions(sparse=False)`. `docs/runtimes.md` has the table.

    The model is not changed. Its inference is exported, as it is: without
    masks, optimizer and what only training uses.

    Args:
        model: Sequential, functional, subclassed or nested model of Keras 3
            or tf_keras; sparse, or a plain one that has zeros, such as
            `strip` returns or `quantize_aware` made.
        path: of the file to write, local or as `tf.io.gfile` knows it.
        quantization: what weights are stored as. None or `"float32"`: as they
            are. `"float16"`: rounded; computed in float32 unless a delegate
            does otherwise. `"dynamic_int8"`: kernels of 1,024 elements and
            more in 255 steps for each unit. Where such a kernel is stored
            dense, inputs are rounded to int8 as they come, and where it is
            sparse, it is unpacked to float32 (the interpreter cannot do both
            at once). `"full_int8"`: weights and activations, for processors
            that have integers only; this needs `representative_data`, or a
            model that `quantize_aware` made. Sparse dense layers are 1×1
            convolutions in such a file, which LiteRT 2.1 and later require.
        representative_data: for `"full_int8"`, some hundred typical examples,
            by which the range of each activation is found: a batch in the
            structure that the model takes, or a `tf.data.Dataset`, iterable
            or function without arguments that gives batches.
        inputs: what the model is called on, as for `export_saved_model`,
            but dense; needed in the same cases.
        batch_size: number of examples of each call, in the file; None: any.
            Models that loop over time steps need one.
        overwrite: whether to replace what is at the path.
        options: what few users need: weights stored dense or in the order
            that takes the fewest bytes, int8 inputs and outputs, TensorFlow's
            operations, data to compare on and how much may differ.

    Returns:
        What was written, tensor by tensor, and the largest difference found;
        `str()` of it is a table.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if the path exists or cannot be written, for an unknown
            quantization, missing or superfluous representative data, a model
            that the converter refuses, or a file whose outputs are further
            off than `tolerance`. Nothing is written then.

    Example:
        >>> report = tf_rigl.export_litert(model, "model.tflite", "float16")
        >>> print(report)
    """
    quantization = quantization or "float32"
    check_options(options, LiteRTOptions)
    chosen = options or LiteRTOptions()
    int8_io, select_tf_ops = chosen.int8_io, chosen.select_tf_ops
    _check_arguments(quantization, representative_data, batch_size, int8_io)

    with atomic_files.new_folder(path, overwrite) as (made, scratch):
        folder = posixpath.join(scratch, "model")
        endpoint = convert.save_for_converter(folder, model, inputs, batch_size)
        if quantization == "full_int8":
            _check_can_calibrate(endpoint, representative_data)
            if not _operations(endpoint).isdisjoint(_LOOPS):
                _check_loop_free(
                    convert.convert(folder, select_tf_ops=select_tf_ops)
                )

        feed = run.calibration_feed(
            endpoint.call, representative_data, batch_size or 1
        )
        dense = convert.convert(
            folder, quantization, feed, int8_io, select_tf_ops
        )

        examples = _examples(
            endpoint.call, chosen.verification_data, batch_size
        )
        expected = run.call_model(endpoint, examples)
        before = _compare_dense(dense, examples, expected, select_tf_ops)
        best = _make_sparse(dense, before, examples, expected, chosen)
        _check_difference(best.difference, quantization, chosen.tolerance)
        with tf.io.gfile.GFile(made, "wb") as file:
            file.write(best.content)

    written = format.read(best.content)
    slow_weights.warn_if_slower(written)
    return report.LiteRTReport(
        path=os.fspath(path),
        quantization=quantization,
        rows=report.tensor_reports(written, best.reasons),
        file_bytes=len(best.content),
        dense_file_bytes=len(dense),
        error=best.difference and best.difference.error,
        relative_error=best.difference and best.difference.relative,
        notes=best.notes,
        runtime=run.runtime() if best.difference else "",
    )


class _Chosen(NamedTuple):
    """The file to write."""

    content: bytes
    difference: run.Difference | None  # None: it could not be run here
    reasons: Mapping[str, str]  # of weights that stay dense
    notes: tuple[str, ...]


def _compare_dense(
    dense: bytes, examples: run.Named, expected: run.Named, select_tf_ops: bool
) -> run.Difference | None:
    """Compares the dense file with its model; None if it cannot run here."""
    try:
        return run.compare(expected, run.run(dense, examples))
    except RuntimeError as error:
        # Python's interpreter comes without TensorFlow's operations.
        if select_tf_ops:
            return None
        raise ValueError(
            "The interpreter must be able to run the file. "
            f"Received: a model whose file it does not run; {error}"
        ) from error


def _make_sparse(
    dense: bytes,
    before: run.Difference | None,
    examples: run.Named,
    expected: run.Named,
    options: LiteRTOptions,
) -> _Chosen:
    """Makes weights sparse where that is smaller and computes the same.

    `before` says how far the outputs of the dense file are off.
    """
    if not options.sparse:
        return _Chosen(dense, before, {}, ())
    model = format.read(dense)
    reasons = sparsify(model, options.row_major)
    content = format.write(model)
    if len(content) >= len(dense):
        return _Chosen(dense, before, reasons, (_DENSE_IS_SMALLER,))

    if before is None:
        return _Chosen(content, None, reasons, (_NOT_RUN,))
    try:
        after = run.compare(expected, run.run(content, examples))
        problem = f"its outputs differ by {after.error:.3g}"
    except RuntimeError as error:
        after = run.Difference(math.inf, before.scale)
        problem = f"the interpreter does not run it: {error}"

    if not after.error <= 2 * before.error + 1e-5 * before.scale:
        note = (
            f"All weights are dense: with sparse ones, {problem}; with dense "
            f"ones they differ by {before.error:.3g}."
        )
        return _Chosen(dense, before, reasons, (note,))
    return _Chosen(content, after, reasons, ())


def _examples(
    call: CallSignature, data: Any, batch_size: int | None
) -> dict[str, np.ndarray]:
    """Returns the inputs that the file is compared on."""
    if data is None:
        return run.random_inputs(call, batch_size)
    named = run.named_inputs(call, data)
    if batch_size is None:
        return named

    first = next(run.chunks(named, batch_size), None)
    if first is None:
        raise ValueError(
            "`verification_data` must have `batch_size` examples at least. "
            f"Received: batch_size={batch_size} and fewer."
        )
    return first


def _operations(endpoint: Endpoint) -> set[str]:
    """Collects the kinds of TensorFlow operations of a traced call."""
    definition = endpoint.function.graph.as_graph_def()
    operations = {node.op for node in definition.node}
    for function in definition.library.function:
        operations.update(node.op for node in function.node_def)
    return operations


def _check_can_calibrate(endpoint: Endpoint, representative_data: Any) -> None:
    """Raises a ValueError if nothing says how large activations are."""
    trained = any(
        name.startswith("FakeQuant") for name in _operations(endpoint)
    )
    if representative_data is None and not trained:
        raise ValueError(
            "Activations are quantized by the values that they take. "
            "Received: quantization='full_int8', representative_data=None. "
            "Pass some hundred examples of what the model will see, or train "
            "what `quantize_aware` returns."
        )


def _check_loop_free(content: bytes) -> None:
    """Raises a ValueError if calibrating a float file would end the process.

    The converter knows some loops as one operator; those can be calibrated.
    """
    model = format.read(content)
    if any(
        format.kind_name(model, operator) == "WHILE"
        for subgraph in model.subgraphs
        for operator in subgraph.operators
    ):
        raise ValueError(
            "Loops cannot be calibrated: TensorFlow's converter crashes. "
            "Received: quantization='full_int8' and a model that loops over "
            "time steps. Build its recurrent layers with unroll=True, or pass "
            "quantization='dynamic_int8'."
        )


def _check_arguments(
    quantization: str,
    representative_data: Any,
    batch_size: int | None,
    int8_io: bool,
) -> None:
    check_choice("quantization", quantization, convert.QUANTIZATIONS)
    full = quantization == "full_int8"
    if not full and representative_data is not None:
        raise ValueError(
            "Only 'full_int8' uses `representative_data`. Received: "
            f"quantization={quantization!r} with representative data. Leave "
            "them out or pass quantization='full_int8'."
        )

    if int8_io and not full:
        raise ValueError(
            "Inputs and outputs can be int8 only where activations are. "
            f"Received: int8_io=True, quantization={quantization!r}. Pass "
            "quantization='full_int8'."
        )

    if batch_size is not None and batch_size < 1:
        raise ValueError(
            "`batch_size` must be positive or None. "
            f"Received: batch_size={batch_size}."
        )


def _check_difference(
    difference: run.Difference | None,
    quantization: str,
    tolerance: float | None,
) -> None:
    """Raises a ValueError if a file is too far off its model."""
    if difference is None:
        return
    if tolerance is None:
        tolerance = _TOLERANCES.get(quantization, math.inf)
    # The error of a file that computes NaN is inf, as int8's tolerance is.
    if difference.relative <= tolerance and math.isfinite(difference.error):
        return

    raise ValueError(
        "The file must compute what the model computes, to `tolerance` of the "
        f"largest output. Received: tolerance={tolerance:g} and outputs that "
        f"differ by {difference.error:.3g}, {difference.relative:.3g} of the "
        f"largest. Quantize less than quantization={quantization!r}, pass "
        "data that the model was made for as `verification_data`, or a larger "
        "`tolerance`."
    )
