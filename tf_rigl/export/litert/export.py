"""Exports sparse models as LiteRT files, for phones and small processors."""

import itertools
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
from tf_rigl.masking import masked_for_now

# Default tolerances: the largest error as a fraction of the largest output. The
# error of int8 depends on the model and the data, so it has no default.
_TOLERANCES = {"float32": 1e-3, "float16": 0.1}
# Representative examples on which a file is compared with its model.
_CALIBRATION_EXAMPLES = 16
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

    TensorFlow's converter makes a dense file. Each weight that is smaller so is
    then stored as positions and values of its non-zeros, in LiteRT's own sparse
    format. The interpreter unpacks it when it loads the file, so inference is
    not faster unless XNNPACK runs the model sparse. `check_xnnpack` tells
    whether it can, for float32 and float16.

    Before the file is written, it is run, and its outputs are compared with the
    model's. The package `ai-edge-litert` runs it if installed, otherwise
    TensorFlow's interpreter, which is deprecated; the report says which. These
    were seen to run sparse weights: LiteRT 1.4 to 2.3, TensorFlow 2.18 to 2.21
    and OpenVINO 2026.4. tf2onnx needs dense weights, which
    `options=LiteRTOptions(sparse=False)` keeps. `docs/runtimes.md` lists all
    runtimes.

    The model is not changed. Only its inference is exported, without masks,
    the optimizer and whatever else only training uses.

    Args:
        model: a Sequential, functional, subclassed or nested model of Keras 3
            or tf_keras: a sparse one, or a plain one with zeros, such as
            `strip` and `quantize_aware` return.
        path: the file to write, local or a path that `tf.io.gfile` supports.
        quantization: how weights are stored. None or `"float32"` keeps them
            exactly. `"float16"` rounds them; LiteRT computes in float32 unless
            a delegate does otherwise. `"dynamic_int8"` rounds kernels of 1,024
            or more elements to 255 steps per unit. If such a kernel is stored
            dense, its inputs are rounded to int8 at each call; if it is stored
            sparse, it is unpacked to float32, because the interpreter cannot
            do both. `"full_int8"` rounds weights and activations, for
            processors that compute with integers only. It needs
            `representative_data` or a model that `quantize_aware` returned. In
            such a file, sparse dense layers become 1×1 convolutions, because
            LiteRT 2.1 and later refuse them otherwise.
        representative_data: some hundred typical examples for `"full_int8"`,
            from which the range of each activation is found: a batch in the
            structure that the model takes; or a `tf.data.Dataset`, an iterable
            or a function without arguments that yields such batches.
        inputs: the inputs of the model's call, as for `export_saved_model`, but
            dense. They are needed in the same cases.
        batch_size: number of examples in each call of the file. None allows any
            number. Models that loop over time steps need a fixed number.
        overwrite: whether to replace what is at `path`.
        options: settings that few users need: dense storage, the order of
            sparse weights, int8 inputs and outputs, TensorFlow's operations,
            the data and the tolerance of the comparison.

    Returns:
        A report of what was written, tensor by tensor, with the largest
        difference from the model's outputs; `str()` of it is a table.

    Raises:
        TypeError: if `model` is a model of neither Keras, or if `options` is
            not a `LiteRTOptions`.
        ValueError: if `path` exists or cannot be written; if `quantization` is
            unknown; if representative data are missing or not used; if the
            converter refuses the model; or if an output of the file differs by
            more than the tolerance. Nothing is written then.

    Example:
        >>> report = tf_rigl.export_litert(model, "model.tflite", "float16")
        >>> print(report)
    """
    quantization = quantization or "float32"
    check_options(options, LiteRTOptions)
    chosen = options or LiteRTOptions()
    int8_io, select_tf_ops = chosen.int8_io, chosen.select_tf_ops
    _check_arguments(quantization, representative_data, batch_size, int8_io)

    # `draft` is moved to `path` at the end, so that no half-written file ever
    # appears there.
    with (
        atomic_files.new_folder(path, overwrite) as (draft, scratch),
        masked_for_now.masked_for_now(model),
    ):
        # Save the model for the converter; reject what cannot be calibrated.
        folder = posixpath.join(scratch, "model")
        endpoint = convert.save_for_converter(folder, model, inputs, batch_size)
        if quantization == "full_int8":
            _check_can_calibrate(endpoint, representative_data)
            if not _operations(endpoint).isdisjoint(_LOOPS):
                _check_loop_free(
                    convert.convert(folder, select_tf_ops=select_tf_ops)
                )

        # Convert it with dense weights.
        feed = run.calibration_feed(
            endpoint.call, representative_data, batch_size or 1
        )
        dense = convert.convert(
            folder, quantization, feed, int8_io, select_tf_ops
        )

        # Make weights sparse and compare the outputs with the model's.
        examples = _examples(
            endpoint.call, chosen.verification_data, feed, batch_size
        )
        expected = run.call_model(endpoint, examples)
        dense_difference = _compare_dense(
            dense, examples, expected, select_tf_ops
        )
        best = _make_sparse(dense, dense_difference, examples, expected, chosen)
        _check_difference(best.difference, quantization, chosen.tolerance)

        with tf.io.gfile.GFile(draft, "wb") as file:
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


class _Result(NamedTuple):
    """The file to write, and what the report says about it."""

    content: bytes
    difference: run.Difference | None  # None if the file cannot be run here
    reasons: Mapping[str, str]  # why weights stay dense, by their names
    notes: tuple[str, ...]


def _compare_dense(
    dense: bytes, examples: run.Named, expected: run.Named, select_tf_ops: bool
) -> run.Difference | None:
    """Compares the outputs of the dense file with the model's.

    Returns:
        The difference; None if the file uses TensorFlow's operations, which
        the interpreters of Python do not include.

    Raises:
        ValueError: if the interpreter cannot run the file for another reason.
    """
    try:
        return run.compare(expected, run.run(dense, examples))
    except RuntimeError as error:
        if select_tf_ops:
            return None
        raise ValueError(
            "The interpreter must be able to run the file. "
            f"Received: a model whose file it does not run; {error}"
        ) from error


def _make_sparse(
    dense: bytes,
    dense_difference: run.Difference | None,
    examples: run.Named,
    expected: run.Named,
    options: LiteRTOptions,
) -> _Result:
    """Stores weights sparse, unless the file grows or computes worse.

    Args:
        dense: the dense file.
        dense_difference: the difference of its outputs from the model's; None
            if it cannot be run here.
        examples: inputs by name.
        expected: outputs of the model by name.
        options: options of the export.
    """
    if not options.sparse:
        return _Result(dense, dense_difference, {}, ())
    model = format.read(dense)
    reasons = sparsify(model, options.row_major)
    sparse = format.write(model)
    if len(sparse) >= len(dense):
        return _Result(dense, dense_difference, reasons, (_DENSE_IS_SMALLER,))

    if dense_difference is None:
        return _Result(sparse, None, reasons, (_NOT_RUN,))
    try:
        difference = run.compare(expected, run.run(sparse, examples))
        problem = f"its outputs differ by {difference.error:.3g}"
    except RuntimeError as error:
        difference = run.Difference(math.inf, dense_difference.scale)
        problem = f"the interpreter does not run it: {error}"

    # Sparse weights were seen to compute garbage without an error; see
    # `rewrite`. Other kernels may round differently, which is allowed.
    limit = 2 * dense_difference.error + 1e-5 * dense_difference.scale
    if not difference.error <= limit:
        note = (
            f"All weights are dense: with sparse ones, {problem}; with dense "
            f"ones they differ by {dense_difference.error:.3g}."
        )
        return _Result(dense, dense_difference, reasons, (note,))
    return _Result(sparse, difference, reasons, ())


def _examples(
    call: CallSignature,
    data: Any,
    feed: run.Feed | None,
    batch_size: int | None,
) -> dict[str, np.ndarray]:
    """Returns the inputs, by name, on which the file is compared.

    Without data, the first ones that the file is calibrated by serve: on random
    ones, integers differ far more than on any that the model will see.
    """
    if data is None and feed is not None:
        count = _CALIBRATION_EXAMPLES if batch_size is None else 1
        taken = list(itertools.islice(feed(), count))
        return {
            name: np.concatenate([batch[name] for batch in taken])
            for name in taken[0]
        }
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
    """Returns the types of the TensorFlow operations of a traced call."""
    definition = endpoint.function.graph.as_graph_def()
    operations = {node.op for node in definition.node}
    for function in definition.library.function:
        operations.update(node.op for node in function.node_def)
    return operations


def _check_can_calibrate(endpoint: Endpoint, representative_data: Any) -> None:
    """Raises a ValueError if the ranges of activations cannot be found.

    They follow from representative data or from quantization-aware training,
    which leaves FakeQuant operations in the model.
    """
    is_quantize_aware = any(
        name.startswith("FakeQuant") for name in _operations(endpoint)
    )
    if representative_data is None and not is_quantize_aware:
        raise ValueError(
            "Activations are quantized by the values that they take. "
            "Received: quantization='full_int8', representative_data=None. "
            "Pass some hundred examples of what the model will see, or train "
            "what `quantize_aware` returns."
        )


def _check_loop_free(content: bytes) -> None:
    """Raises a ValueError if a float file holds a loop.

    Calibrating such a file would crash the converter, and Python with it. The
    converter turns some recurrent layers into a single operator; those can be
    calibrated.
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
    is_full_int8 = quantization == "full_int8"
    if not is_full_int8 and representative_data is not None:
        raise ValueError(
            "Only 'full_int8' uses `representative_data`. Received: "
            f"quantization={quantization!r} with representative data. Leave "
            "them out or pass quantization='full_int8'."
        )

    if int8_io and not is_full_int8:
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
    if difference is None:
        return
    if tolerance is None:
        tolerance = _TOLERANCES.get(quantization, math.inf)
    if difference.within(tolerance):
        return

    raise ValueError(
        "The file must compute what the model computes, to `tolerance` of the "
        f"largest output. Received: tolerance={tolerance:g} and outputs that "
        f"differ by {difference.error:.3g}, {difference.relative:.3g} of the "
        f"largest. Quantize less than quantization={quantization!r}, pass "
        "data that the model was made for as `verification_data`, or a larger "
        "`tolerance`."
    )
