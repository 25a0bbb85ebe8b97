"""Exports sparse models as SavedModels of packed weights."""

import dataclasses
import os
import posixpath
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend import atomic_files
from tf_rigl.core import structures
from tf_rigl.core.checks import check_choice
from tf_rigl.core.packing import ENCODINGS
from tf_rigl.core.packing import values as formats
from tf_rigl.core.structures import Unstructured
from tf_rigl.export.endpoints import Captures
from tf_rigl.export.endpoints import Endpoint
from tf_rigl.export.endpoints import trace_endpoints
from tf_rigl.export.folders import folder_bytes
from tf_rigl.export.function_graph import read_only
from tf_rigl.export.replicas import capture
from tf_rigl.export.saved_model import artifact
from tf_rigl.export.saved_model import draws
from tf_rigl.export.saved_model import native_plan
from tf_rigl.export.saved_model import pack
from tf_rigl.export.saved_model import packed_file
from tf_rigl.export.saved_model import report
from tf_rigl.export.saved_model.decoder import Decoder
from tf_rigl.export.saved_model.groups import plan_groups
from tf_rigl.export.saved_model.pack_connections import ConnectionsToPack
from tf_rigl.export.saved_model.packed_weight import PackedWeight
from tf_rigl.export.saved_model.packed_weight import is_storable
from tf_rigl.masking import masked_for_now
from tf_rigl.masking.kernels_aside import kernels_aside
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.model_weights import ModelWeight
from tf_rigl.masking.model_weights import walk_model
from tf_rigl.updating import low_precision

COMPRESSIONS = (pack.SMALLEST, *ENCODINGS, None)
# Those that pack a list of connections.
_OF_POSITIONS = (pack.SMALLEST, "gaps", "bit_mask")
RUNTIMES = ("tensorflow", "native")


def export_saved_model(
    model: Any,
    path: str | os.PathLike[str],
    compression: str | None = pack.SMALLEST,
    *,
    values: formats.Format = "float32",
    inputs: Any = None,
    signatures: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    runtime: str = "tensorflow",
) -> report.ExportReport:
    """Writes a SavedModel in which sparse weights take little space.

    Each sparse weight is stored as the positions and values of its active
    connections. When the SavedModel is loaded, TensorFlow's own operations
    decode the weights once, so this library need not be installed there. Once
    loaded, the model is as fast and takes as much memory as the dense model,
    and its outputs are the same bit for bit. `load_packed_weights` reads
    weights and masks back into a Keras model.

    The artifact was seen to load in TensorFlow 2.18 to 2.21 (by
    `tf.saved_model.load`, in a session as TensorFlow 1 did, and as a
    `TFSMLayer`) and, converted by tf2onnx, in ONNX Runtime. OpenVINO and the
    converter of TensorFlow.js refuse it, because they read variables without
    running the loader. Inside the scope of a distribution strategy it cannot be
    loaded either; load it outside. In these cases, `compression=None` writes a
    plain SavedModel, as large as that of the dense model. `docs/runtimes.md`
    lists all runtimes.

    If several workers have trained the model, all of them must call this
    together, each with its own path: moving averages that differ between
    replicas, as those of BatchNormalization in tf_keras do, are exported as
    their mean.

    The model is not changed. Only its inference is exported, without the
    optimizer, the metrics and whatever else only training uses. Save a `.keras`
    file of a model that will be trained further.

    Args:
        model: a Sequential, functional, subclassed or nested model of Keras 3
            or tf_keras: a sparse one, or a plain one with zeros, such as
            `strip` returns.
        path: the folder to write, local or a path that `tf.io.gfile` supports.
        compression: how the positions of active connections are stored.
            `"smallest"` chooses for each weight what takes the fewest bytes.
            `"gaps"` stores the distances between neighbors; `"bit_mask"` one
            bit an element; `"block_mask"` which blocks are active, for masks
            made of blocks or channels; `"n_by_m"` which n of each m are, for
            N:M masks. With all of these, a weight is stored dense where that is
            smaller. `"dense"` stores all weights dense, in the same file. None
            stores all weights as variables of a plain SavedModel, for runtimes
            such as OpenVINO and TensorFlow.js.
        values: how values are stored. `"float32"` keeps them bit for bit,
            whatever their dtype. `"float16"` and `"bfloat16"` round the kernels
            that have more bits; `"int8"` rounds them to 255 steps between plus
            and minus each channel's largest magnitude. Biases and the weights
            of normalization are never rounded. The report tells the largest
            error. `"seed"` stores no values of masked weights at all but how
            `reinitialize` has drawn them, by `"signed_kaiming"`,
            `"kaiming_normal"` or `"glorot_normal"`; for models of which masks
            were trained, and not values. Everything else is exact.
        inputs: the inputs of the model's call, with a batch dimension of any
            size: arrays or tensors (also ragged or sparse ones), tf.TensorSpec
            or shapes, in the structure that the model takes; or all arguments
            of its `call`, in a dictionary by their names or, if it requires
            several, in a list. Needed if the model was never called, if it
            takes several arguments (Keras 3 remembers only the first), or if
            it takes another dtype than float32 without an `Input` that says
            so.
        signatures: functions to export besides the model's call, by name: each
            a `tf.function` with an input signature or a concrete function. One
            called `"serving_default"` replaces the model's call.
        overwrite: whether to replace what is at `path`.
        runtime: what runs the artifact. `"tensorflow"` needs nothing else.
            `"native"` makes one operation of the model, which skips zeros on
            CPUs: the plan that `export_plan` writes, as a constant. It loads
            where `tf_rigl.load_native_ops()` was called before, in
            `tf.saved_model.load` and as a `TFSMLayer`, has no gradient and
            takes batches of any size. Only for models that `check_plan`
            accepts, without `compression` and `signatures`, and with `values`
            of `"float32"`, `"float16"` or `"int8"`.

    Returns:
        A report of what was written, weight by weight; `str()` of it is a
        table.

    Raises:
        TypeError: if `model` is a model of neither Keras, or if `inputs` or a
            signature has none of the types above.
        ValueError: if `path` exists or cannot be written; if `compression`,
            `values` or `runtime` is unknown or cannot express a mask, a value
            or a layer; if the model's inputs are not known; if a signature has
            no input signature or sums over replicas; if `low_precision` is on;
            or if `values` is `"seed"` and no seed draws the values of a masked
            weight, which may have been trained.

    Example:
        >>> report = tf_rigl.export_saved_model(model, "exported")
        >>> loaded = tf.saved_model.load("exported")
        >>> outputs = loaded.serve(batch)
    """
    check_choice("compression", compression, COMPRESSIONS)
    check_choice("values", values, formats.FORMATS)
    if compression is None and values != "float32":
        other = "smallest" if values == "seed" else "dense"
        raise ValueError(
            "Variables of a plain SavedModel keep their values. Received: "
            f"compression=None, values={values!r}. Pass compression={other!r}."
        )

    check_choice("runtime", runtime, RUNTIMES)
    if runtime == "native":
        native_plan.check(compression, values, signatures)
        with masked_for_now.masked_for_now(model):
            return native_plan.export(model, path, inputs, overwrite, values)

    # Other encodings are dense, or of masks with a structure.
    is_listed = compression in _OF_POSITIONS and values != "seed"
    dense = kernels_aside if is_listed else masked_for_now.masked_for_now
    with dense(model):
        return _export(
            model, path, compression, values, inputs, signatures, overwrite
        )


def _export(
    model: Any,
    path: str | os.PathLike[str],
    compression: str | None,
    values: formats.Format,
    inputs: Any,
    signatures: Mapping[str, Any] | None,
    overwrite: bool,
) -> report.ExportReport:
    """Exports a model whose layers can be traced as dense ones."""
    walked = walk_model(model)
    low_precision.check_full(walked.nodes)

    # `new_folder` moves `folder` to `path` at the end, so that no half-written
    # artifact is ever found there.
    with atomic_files.new_folder(path, overwrite) as (folder, scratch):
        endpoints, captures, weights = capture(
            walked, trace_endpoints(walked, inputs, signatures)
        )
        if values == "seed":
            draws.check_masked(model, weights)
        sources = _weights_to_pack(captures, weights, values)
        if compression is None:
            packed = pack.pack_weights(list(sources.values()), "dense")
            artifact.save_plain(folder, endpoints, captures)
            packed_file.write_metadata(folder, packed, None)
        else:
            packed = _save_packed(
                folder, scratch, endpoints, captures, sources, compression
            )

    rows = [
        _report_row(weight, source, compression)
        for weight, source in zip(packed, sources.values(), strict=True)
    ]
    return report.ExportReport(os.fspath(path), tuple(rows), folder_bytes(path))


def _save_packed(
    folder: str,
    scratch: str,
    endpoints: Sequence[Endpoint],
    captures: Captures,
    sources: Mapping[int, pack.Source],
    compression: str,
) -> list[PackedWeight]:
    """Packs the weights and saves the artifact.

    Args:
        folder: where to write the artifact.
        scratch: where to write files that TensorFlow copies into it.
        endpoints: the functions of the artifact.
        captures: the variables and tables that these functions capture.
        sources: the weights, by the `id`s of the handles that are captured.
        compression: as for `pack.pack_weights`.

    Returns:
        The weights as they are stored, in the order of `sources`.
    """
    packed = pack.pack_weights(list(sources.values()), compression)

    # A weight that a function uses in any other way than by reading it, such
    # as by gathering rows of an embedding, needs a variable of its own.
    shared = read_only(endpoint.function for endpoint in endpoints)
    groups = plan_groups(
        packed,
        [index for index, key in enumerate(sources) if key not in shared],
    )

    weights, data = packed_file.place_weights(packed, groups)
    blob = posixpath.join(scratch, packed_file.BLOB)
    with tf.io.gfile.GFile(blob, "wb") as file:
        file.write(data)

    decoder = Decoder(blob, data, [weight.spec for weight in weights], groups)
    artifact.save_packed(folder, endpoints, captures, decoder, list(sources))
    packed_file.write_metadata(folder, weights, len(data))
    return weights


def _weights_to_pack(
    captures: Captures, weights: Iterable[ModelWeight], stored: formats.Format
) -> dict[int, pack.Source]:
    """Lists the captured weights.

    Args:
        captures: everything that the functions of the artifact capture.
        weights: the weights of the model, in the order of its layers.
        stored: the format for the values of kernels.

    Returns:
        The weights by the `id`s of the captured handles: first those of the
        model in the order of its layers, by which `load_packed_weights` can
        find them, then variables that only signatures use.
    """
    keys: dict[int, list[int]] = {}  # by the `id` of the model's variable
    for key, origin in captures.origins.items():
        if is_storable(origin.dtype):
            keys.setdefault(id(origin), []).append(key)

    sources: dict[int, pack.Source] = {}
    for weight in weights:
        captured = [
            key
            for variable in weight.variables
            for key in keys.pop(id(variable), ())
        ]
        # Functions may capture several components of one weight. Only the first
        # is the weight of the model, the others are extra.
        for number, key in enumerate(captured):
            variable = captures.variables[key]
            source = _weight_to_pack(weight, variable, stored)
            if number:
                path = f"{source.path}@{number}"
                source = dataclasses.replace(source, path=path, extra=True)
            sources[key] = source

    # All other variables belong to signatures. Their names need not be unique.
    paths = {source.path for source in sources.values()}
    for key in (key for group in keys.values() for key in group):
        variable = captures.variables[key]
        name = variable.name.partition(":")[0]
        path, number = name, 0
        while path in paths:
            number += 1
            path = f"{name}_{number}"
        paths.add(path)
        sources[key] = pack.WeightToPack(path, variable.numpy(), extra=True)
    return sources


def _weight_to_pack(
    weight: ModelWeight, variable: tf.Variable, stored: formats.Format
) -> pack.Source:
    """Returns a weight of the model with all that packing needs.

    Raises:
        ValueError: if values are to be drawn from a seed, but cannot.
    """
    record = weight.record
    stored = _format_of(weight, variable.dtype, stored)
    if record is not None and record.storage.is_compressed:
        return _connections_to_pack(weight, record, stored)
    array = variable.numpy()
    structure = None
    if record is not None and not isinstance(record.structure, Unstructured):
        structure = structures.serialize(record.structure)

    return pack.WeightToPack(
        path=weight.path,
        array=array,
        mask=None if record is None else record.mask.numpy(),
        layout=weight.layout,
        axis=weight.channel_axis,
        stored=stored,
        target=None if record is None else record.target,
        structure=structure,
        draw=draws.find_draw(weight, array) if stored == "seed" else None,
    )


def _connections_to_pack(
    weight: ModelWeight, record: MaskedWeight, stored: formats.Format
) -> ConnectionsToPack:
    """Does the same for a weight that is stored by its connections."""
    storage: Any = record.storage
    connections = storage.connections
    positions = connections.positions().numpy()
    order = np.argsort(positions)
    return ConnectionsToPack(
        weight.path,
        weight.shape,
        positions[order],
        tf.convert_to_tensor(connections.values).numpy()[order],
        weight.channel_axis,
        stored,
        record.target,
    )


def _format_of(
    weight: ModelWeight, dtype: tf.DType, stored: formats.Format
) -> formats.Format:
    """Returns the format for a weight if kernels are stored in `stored`.

    It is that only if the weight is a kernel (one that may be sparse) of floats
    that have more bits, or has a mask if it is "seed". All other weights keep
    their values exactly.
    """
    if stored == "seed":
        return "float32" if weight.record is None else "seed"

    size = 4 if stored == "float32" else tf.as_dtype(stored).size
    exact = weight.layout is None or not dtype.is_floating or dtype.size <= size
    return "float32" if exact else stored


def _report_row(
    weight: PackedWeight, source: pack.Source, compression: str | None
) -> report.WeightReport:
    spec = weight.spec
    error = 0.0
    if spec.values != "float32" and spec.elements:
        error = source.error(weight)

    return report.WeightReport(
        path=spec.path,
        shape=spec.shape,
        encoding=report.VARIABLE if compression is None else spec.encoding,
        values=spec.values if spec.values != "float32" else spec.dtype,
        elements=spec.elements,
        nonzeros=spec.nonzeros,
        bytes=spec.bytes,
        dense_bytes=source.dense_bytes,
        error=error,
    )
