"""Readers of the weights in a file of a model, whatever wrote it."""

import os
import pathlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import trackable_object_graph_pb2

from tf_rigl.experiments import model_files
from tf_rigl.export.litert import format
from tf_rigl.export.litert import sparse
from tf_rigl.export.saved_model.packed_file import BLOB
from tf_rigl.export.saved_model.packed_file import read_weights
from tf_rigl.export.saved_model.packed_weight import not_zero
from tf_rigl.masking.model_weights import model_weights
from tf_rigl.masking.model_weights import walk_model

_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"


class StoredWeight(NamedTuple):
    """A weight as a file holds it."""

    path: str
    array: np.ndarray  # dense, of the weight's shape and dtype
    kept: np.ndarray  # bool, of its shape: the mask, or what is not zero
    encoding: str  # "dense", or how positions are stored
    bytes: int  # that it takes in the file, before any compression


def read_stored_weights(
    path: str | os.PathLike[str], imports: Iterable[str] = ()
) -> list[StoredWeight]:
    """Reads the weights of a SavedModel, a `.keras` or a `.tflite` file.

    Args:
        path: of the file or folder.
        imports: modules to be imported before, which register the classes of
            the user's own layers.

    Raises:
        ValueError: if it is none of these, or it is damaged.
    """
    file = pathlib.Path(path)
    if (file / "assets" / BLOB).exists():
        return _of_packed(file)
    if (file / "saved_model.pb").exists():
        return _of_saved_model(file)
    if file.suffix == ".keras":
        return _of_model(file, imports)
    if file.is_file():
        content = file.read_bytes()
        if format.is_model(content):
            return _of_litert(content)

    raise ValueError(
        "`path` must be a SavedModel's folder, a .keras or a .tflite file. "
        f"Received: path={os.fspath(path)!r}."
    )


def _of_packed(folder: pathlib.Path) -> list[StoredWeight]:
    return [
        StoredWeight(
            one.spec.path,
            one.array(),
            one.mask(),
            one.spec.encoding
            if one.spec.values == "float32"
            else f"{one.spec.encoding}, {one.spec.values}",
            one.spec.bytes,
        )
        for one in read_weights(folder)
    ]


def _of_saved_model(folder: pathlib.Path) -> list[StoredWeight]:
    """Reads the variables; those that are stored twice are listed once."""
    reader = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
    graph = trackable_object_graph_pb2.TrackableObjectGraph()
    graph.ParseFromString(reader.get_tensor(_OBJECT_GRAPH))

    found: dict[str, StoredWeight] = {}
    for node in graph.nodes:
        for attribute in node.attributes:
            if not attribute.checkpoint_key.endswith(_VALUE):
                continue
            array = np.asarray(reader.get_tensor(attribute.checkpoint_key))
            path = attribute.full_name or attribute.checkpoint_key
            one = _dense(path, array)
            before = found.get(path)
            if before is None:
                found[path] = one
            elif np.array_equal(before.array, array):
                size = before.bytes + one.bytes
                found[path] = before._replace(bytes=size)
            else:
                path = attribute.checkpoint_key.removesuffix(_VALUE)
                found[path] = one._replace(path=path)
    return list(found.values())


def _of_model(file: pathlib.Path, imports: Iterable[str]) -> list[StoredWeight]:
    """Reads a Keras model, in which a mask costs a byte an element."""
    model = model_files.load_model(file, imports)
    found = []
    for weight in model_weights(walk_model(model)):
        one = _dense(weight.path, weight.values())
        if weight.record is not None:
            mask = weight.record.mask.numpy().astype(bool)
            one = one._replace(
                kept=mask, encoding="masked", bytes=one.bytes + mask.size
            )
        found.append(one)
    return found


def _of_litert(content: bytes) -> list[StoredWeight]:
    """Reads the constants, without those that are shapes and the like."""
    model = format.read(content)
    found = []
    for _, tensor in format.constants(model):
        dtype = format.WEIGHT_TYPES.get(tensor.type)
        data = format.data(model, tensor)
        if dtype is None or data is None:
            continue

        values = data.view(dtype)
        shape = format.shape(tensor)
        path = format.name(tensor)
        if tensor.sparsity is None:
            one = _dense(path, values.reshape(shape))
        else:
            array = sparse.decode(tensor.sparsity, values, shape)
            positions = sparse.position_bytes(tensor.sparsity)
            one = _dense(path, array)._replace(
                encoding="sparse", bytes=values.nbytes + positions
            )
        found.append(one)
    return found


def _dense(path: str, array: np.ndarray) -> StoredWeight:
    kept = not_zero(array) if array.dtype.kind in "fiub" else array != array
    return StoredWeight(path, array, kept, "dense", array.nbytes)
