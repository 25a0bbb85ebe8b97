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
from tf_rigl.export.saved_model import pack
from tf_rigl.export.saved_model import packed_file
from tf_rigl.export.saved_model import report
from tf_rigl.export.saved_model.decoder import Decoder
from tf_rigl.export.saved_model.groups import plan_groups
from tf_rigl.export.saved_model.packed_weight import PackedWeight
from tf_rigl.export.saved_model.packed_weight import is_storable
from tf_rigl.masking.model_weights import ModelWeight
from tf_rigl.masking.model_weights import walk_model

COMPRESSIONS = (pack.SMALLEST, *ENCODINGS, None)


def export_saved_model(
    model: Any,
    path: str | os.PathLike[str],
    compression: str | None = pack.SMALLEST,
    *,
    values: formats.Format = "float32",
    inputs: Any = None,
    signatures: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> report.ExportReport:
    """Writes a SavedModel in which sparse weights take little space.

    Each sparse weight is stored as the positions of its connections and their
    values. Loading decodes it, once, with TensorFlow's own operations, so this
    library need not be installed there. Seen to load it: TensorFlow 2.18 to
    2.21 by `tf.saved_model.load`, in a session as TensorFlow 1 did, and as a
    `TFSMLayer`; and ONNX Runtime, through tf2onnx. Once loaded, it is as fast
    and takes as much memory as the dense model, and its outputs are the same
    bit for bit. `load_packed_weights` gives weights and masks back to a Keras
    model.

    What reads variables without running the loader refuses it: OpenVINO and
    the converter of TensorFlow.js. Nor can it be loaded in the scope of a
    distribution strategy (load it outside). For those, `compression=None`
    writes a plain SavedModel, as large as the dense model. `docs/runtimes.md`
    has the table.

    Of a model that several workers have trained, all of them call this
    together, each with a path of its own: averages over replicas, as
    BatchNormalization of tf_keras has, are exported as their mean.

    The model is not changed. Its inference is exported, without optimizer,
    metrics and what only training uses; for a model that goes on training,
    save a `.keras` file.

    Args:
        model: Sequential, functional, subclassed or nested model of Keras 3
            or tf_keras; sparse, or a plain one that has zeros, such as
            `strip` returns.
        path: of the folder to write, local or as `tf.io.gfile` knows it.
        compression: how positions are stored. `"smallest"`: for each weight
            as takes the fewest bytes. `"gaps"`: as distances from one to the
            next; `"bit_mask"`: one bit an element; `"block_mask"`: which
            blocks, for masks made of blocks or channels; `"n_by_m"`: which n
            of each m, for N:M masks. Weights that are smaller dense are
            stored dense. `"dense"`: all of them, in the same way; None: all
            as variables of a plain SavedModel, for OpenVINO, TensorFlow.js
            and whatever else reads variables by itself.
        values: how values are stored. `"float32"`: as they are, bit for bit,
            whatever their dtype. `"float16"`, `"bfloat16"`: rounded to that,
            `"int8"`: to 255 steps of each channel's largest magnitude, where
            kernels have more bits than that; biases and normalization stay as
            they are. The report says how far they are off.
        inputs: what the model is called on, with the batch dimension (its
            size does not matter): arrays, tensors, ragged and sparse ones
            too, tf.TensorSpec or shapes, in the structure that the model
            takes, or all arguments of its `call`: in a dictionary by their
            names, or in a list if it requires several. Needed if the model
            was never called, has several arguments of which Keras 3
            remembers the first, or takes another dtype than float32 without
            having said so by an `Input`.
        signatures: functions to be exported besides the model's call, by
            name: each a `tf.function` with an input signature or a concrete
            function. One called `"serving_default"` stands in for the call.
        overwrite: whether to replace what is at the path.

    Returns:
        What was written, weight by weight; `str()` of it is a table.

    Raises:
        TypeError: if `model` is a model of neither Keras, or `inputs` or a
            signature is none of the above.
        ValueError: if the path exists or cannot be written, for an unknown
            compression or format, one that a mask or value does not fit, a
            model without known inputs, a signature without its inputs or
            one that sums over replicas.

    Example:
        >>> report = tf_rigl.export_saved_model(model, "exported")
        >>> loaded = tf.saved_model.load("exported")
        >>> outputs = loaded.serve(batch)
    """
    check_choice("compression", compression, COMPRESSIONS)
    check_choice("values", values, formats.FORMATS)
    if compression is None and values != "float32":
        raise ValueError(
            "Variables of a plain SavedModel keep their values. Received: "
            f"compression=None, values={values!r}. Pass compression='dense'."
        )

    walked = walk_model(model)
    with atomic_files.new_folder(path, overwrite) as (made, scratch):
        endpoints, captures, weights = capture(
            walked, trace_endpoints(walked, inputs, signatures)
        )
        sources = _weights_to_pack(captures, weights, values)
        if compression is None:
            packed = pack.pack_weights(list(sources.values()), "dense")
            artifact.save_plain(made, endpoints, captures)
            packed_file.write_metadata(made, packed, None)
        else:
            packed = _save_packed(
                made, scratch, endpoints, captures, sources, compression
            )

    rows = [
        _row(weight, source, compression)
        for weight, source in zip(packed, sources.values(), strict=True)
    ]
    return report.ExportReport(os.fspath(path), tuple(rows), folder_bytes(path))


def _save_packed(
    folder: str,
    scratch: str,
    endpoints: Sequence[Endpoint],
    captures: Captures,
    sources: Mapping[int, pack.WeightToPack],
    compression: str,
) -> list[PackedWeight]:
    """Packs and saves; returns the weights with their places."""
    packed = pack.pack_weights(list(sources.values()), compression)
    shared = read_only(one.function for one in endpoints)
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
) -> dict[int, pack.WeightToPack]:
    """Collects what is captured, by the identity of the captured handle."""
    keys: dict[int, list[int]] = {}  # by the identity of the model's variable
    for key, origin in captures.origins.items():
        if is_storable(origin.dtype):
            keys.setdefault(id(origin), []).append(key)

    sources: dict[int, pack.WeightToPack] = {}
    # In the order of the layers, by which they can be found again.
    for weight in weights:
        captured = [
            key for one in weight.variables for key in keys.pop(id(one), ())
        ]
        for number, key in enumerate(captured):
            variable = captures.variables[key]
            source = _weight_to_pack(weight, variable, stored)
            if number:
                path = f"{source.path}@{number}"
                source = dataclasses.replace(source, path=path, extra=True)
            sources[key] = source

    # The rest is not the model's but what signatures use by themselves.
    paths = {source.path for source in sources.values()}
    for key in (key for some in keys.values() for key in some):
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
) -> pack.WeightToPack:
    """Returns a weight with all that packing needs.

    Integers, weights that are never sparse and values that are no wider than
    `stored` are kept as they are.
    """
    array = variable.numpy()
    size = 4 if stored == "float32" else tf.as_dtype(stored).size
    exact = (
        weight.layout is None
        or not variable.dtype.is_floating
        or variable.dtype.size <= size
    )

    record = weight.record
    structure = None
    if record is not None and not isinstance(record.structure, Unstructured):
        structure = structures.serialize(record.structure)

    return pack.WeightToPack(
        path=weight.path,
        array=array,
        mask=None if record is None else record.mask.numpy(),
        layout=weight.layout,
        axis=weight.channel_axis,
        stored="float32" if exact else stored,
        target=None if record is None else record.target,
        structure=structure,
    )


def _row(
    weight: PackedWeight, source: pack.WeightToPack, compression: str | None
) -> report.WeightReport:
    spec = weight.spec
    error = 0.0
    if spec.values != "float32" and spec.elements:
        stored = weight.array().astype(np.float64)
        error = np.abs(stored - source.array.astype(np.float64)).max().item()

    return report.WeightReport(
        path=spec.path,
        shape=spec.shape,
        encoding=report.VARIABLE if compression is None else spec.encoding,
        values=spec.values if spec.values != "float32" else spec.dtype,
        elements=spec.elements,
        nonzeros=spec.nonzeros,
        bytes=spec.bytes,
        dense_bytes=source.array.nbytes,
        error=error,
    )
