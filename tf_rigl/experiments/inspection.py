"""The weights in a model file of any format, and their table."""

import dataclasses
import os
import pathlib
from collections.abc import Iterable
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import trackable_object_graph_pb2

from tf_rigl.backend import native_ops
from tf_rigl.core import text_table
from tf_rigl.experiments import model_files
from tf_rigl.export.folders import folder_bytes
from tf_rigl.export.litert import format
from tf_rigl.export.litert import sparse
from tf_rigl.export.saved_model import packed_file
from tf_rigl.export.saved_model.packed_weight import not_zero
from tf_rigl.masking.model_weights import model_weights
from tf_rigl.masking.model_weights import walk_model

_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"

BARS = "▁▂▃▄▅▆▇█"
BINS = 15
_HEADER = ("weight", "stored", "values kept", "kept", "sparsity", "bytes")
_HISTOGRAM = 2  # the column whose blanks count
_TEXT_COLUMNS = 3


class StoredWeight(NamedTuple):
    """A weight as it is stored in a file."""

    path: str
    array: np.ndarray  # dense, of the weight's shape and dtype
    kept: np.ndarray  # bool, of its shape: the mask, else the non-zeros
    encoding: str  # "dense", or the encoding of positions
    bytes: int  # its size in the file, before any compression


@dataclasses.dataclass(frozen=True)
class FileReport:
    """The weights of a model file; `str()` makes a table."""

    path: str
    weights: tuple[StoredWeight, ...]
    file_bytes: int  # the size of the file, or of all files in the folder

    @property
    def elements(self) -> int:
        """Number of elements of all weights."""
        return sum(weight.array.size for weight in self.weights)

    @property
    def nonzeros(self) -> int:
        """Number of elements that are kept."""
        return sum(int(weight.kept.sum()) for weight in self.weights)

    def to_dict(self) -> dict[str, Any]:
        """Returns the facts of the table as plain values, by name."""
        return {
            "path": self.path,
            "file_bytes": self.file_bytes,
            "weights": [
                {
                    "path": weight.path,
                    "shape": list(weight.array.shape),
                    "dtype": weight.array.dtype.name,
                    "encoding": weight.encoding,
                    "elements": weight.array.size,
                    "kept": int(weight.kept.sum()),
                    "bytes": weight.bytes,
                }
                for weight in self.weights
            ],
        }

    def __str__(self) -> str:
        body = [_cells(weight) for weight in self.weights]
        size = sum(weight.bytes for weight in self.weights)
        total = (
            "all",
            *[""] * (_TEXT_COLUMNS - 1),
            f"{self.nonzeros:,}",
            _sparsity(self.nonzeros, self.elements),
            f"{size:,}",
        )
        lines = text_table.aligned(
            _HEADER, body, total, _TEXT_COLUMNS, (_HISTOGRAM,)
        )
        lines.append(
            f"{self.path}: {self.elements:,} elements, {self.file_bytes:,} "
            "bytes in all"
        )
        return "\n".join(lines)


def inspect_file(
    path: str | os.PathLike[str], imports: Iterable[str] = ()
) -> FileReport:
    """Reads the weights of a model file; see `read_stored_weights`."""
    weights = tuple(read_stored_weights(path, imports))
    file = pathlib.Path(path)
    size = file.stat().st_size if file.is_file() else folder_bytes(file)
    return FileReport(os.fspath(path), weights, size)


def read_stored_weights(
    path: str | os.PathLike[str], imports: Iterable[str] = ()
) -> list[StoredWeight]:
    """Reads the weights of a SavedModel, a `.keras` or a `.tflite` file.

    `imports` are as in `model_files.load_model`.

    Raises:
        ValueError: if `path` is none of these, or is damaged.
    """
    file = pathlib.Path(path)
    # Checked first: a packed artifact is a SavedModel as well, but the weights
    # are not in its variables.
    if (file / "assets" / packed_file.BLOB).exists():
        return _of_packed(file)
    if (file / "saved_model.pb").exists():
        if native_ops.is_in(file):
            raise ValueError(
                "`path` must be a SavedModel that TensorFlow runs. Received: "
                f"path={os.fspath(path)!r}, which the native library runs. "
                "Name the model that it was exported from."
            )
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


def histogram(weight: StoredWeight, bins: int = BINS) -> np.ndarray:
    """Counts the kept values of a weight in bins of equal width.

    Returns:
        int64 [bins], over [-m, m] for the largest magnitude m. With an odd
        number of bins, the middle one is centered at 0.
    """
    values = weight.array[weight.kept].astype(np.float64)
    values = values[np.isfinite(values)]
    largest = np.abs(values).max(initial=0) or 1.0
    return np.histogram(values, bins, (-largest, largest))[0]


def sparkline(counts: np.ndarray) -> str:
    """Draws counts as bars, a count of 0 as a blank.

    >>> sparkline(np.array([0, 1, 50, 100]))
    ' ▁▅█'
    """
    heights = np.ceil(counts * len(BARS) / max(counts.max(initial=0), 1))
    return "".join(f" {BARS}"[int(height)] for height in heights)


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
        for one in packed_file.read_weights(folder)
    ]


def _of_saved_model(folder: pathlib.Path) -> list[StoredWeight]:
    """Reads the variables, listing those that are stored twice only once."""
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
    """Reads a Keras model, whose file has a byte per element of a mask."""
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
    """Reads the constants that are weights, not shapes and the like."""
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


def _cells(weight: StoredWeight) -> tuple[str, ...]:
    kept = int(weight.kept.sum())
    shape = "×".join(map(str, weight.array.shape)) or "scalar"
    return (
        weight.path,
        f"{shape} {weight.array.dtype.name} {weight.encoding}",
        sparkline(histogram(weight)),
        f"{kept:,}",
        _sparsity(kept, weight.array.size),
        f"{weight.bytes:,}",
    )


def _sparsity(kept: int, elements: int) -> str:
    return f"{1 - kept / elements:.2%}" if elements else ""
