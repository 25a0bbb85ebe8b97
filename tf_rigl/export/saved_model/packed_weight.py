"""Weights of an artifact: their bytes and the metadata that describe them.

Files may be damaged, so `spec_from_json` checks all metadata, and a
`PackedWeight` checks its bytes while it decodes them.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.core.dice import Dice
from tf_rigl.core.packing import ENCODINGS
from tf_rigl.core.packing import seeded
from tf_rigl.core.packing import values as formats
from tf_rigl.core.packing.corruption import check

_HASH_BYTES = 6
# The largest number of elements that a byte may decode to. It bounds the memory
# that damaged metadata can ask for. A header counts as a few more bytes.
_EXPANSION = 1 << 20
_HEADER_BYTES = 64


@dataclasses.dataclass(frozen=True)
class WeightSpec:
    """The metadata of a weight of an artifact."""

    path: str  # path of the weight in its model
    shape: tuple[int, ...]
    nonzeros: int  # number of elements that are kept
    offset: int  # position of its first byte in the file of all weights
    bytes: int  # number of its bytes: the mask, followed by the values
    encoding: str  # encoding of the mask, one of `core.packing.ENCODINGS`
    hash: str = ""  # hash of the other fields and of the bytes
    dtype: str = "float32"  # name of the weight's dtype
    # Format of the values, one of `core.packing.values.FORMATS`.
    values: formats.Format = "float32"
    mask_bytes: int = 0  # number of bytes of the mask
    axis: int = -1  # axis of the channels that have scales; -1 for the last
    # Whether the weight has a mask in its model. If not, its non-zero elements
    # are kept.
    masked: bool = False
    # Number of connections that `sparsify` allotted; None if it is `nonzeros`.
    target: int | None = None
    # Configuration of the mask's structure; None for an unstructured mask.
    structure: Mapping[str, Any] | None = None
    extra: bool = False  # True for variables that only signatures use

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def kept(self) -> int:
        """Number of stored values, including zeros if the weight is dense."""
        return self.elements if self.encoding == "dense" else self.nonzeros

    @property
    def channels(self) -> formats.Channels:
        """The channels that have scales in int8."""
        return formats.axis_channels(self.shape, self.axis)

    def to_json(self) -> dict[str, Any]:
        """Returns the fields that do not have their default values."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        }


@dataclasses.dataclass(frozen=True)
class PackedWeight:
    """The packed bytes of a weight, with its metadata."""

    spec: WeightSpec
    data: bytes  # the mask, followed by the values

    @property
    def mask_data(self) -> bytes:
        """The bytes of the mask."""
        return self.data[: self.spec.mask_bytes]

    def mask(self) -> np.ndarray:
        """Decodes the mask: bool, of the weight's shape, true if kept.

        Raises:
            CorruptDataError: if the data are damaged.
        """
        spec = self.spec
        if spec.encoding == "dense" and spec.nonzeros < spec.elements:
            # `pack` stores a masked weight dense only if its mask can be
            # recovered from the values.
            return not_zero(self.array())
        return self._stored_mask()

    def array(self) -> np.ndarray:
        """Decodes the values, with zeros at elements that are not kept.

        Raises:
            CorruptDataError: if the data are damaged.
        """
        spec = self.spec
        positions = np.flatnonzero(self._stored_mask())
        array = np.zeros(spec.elements, numpy_dtype(spec.dtype))
        array[positions] = formats.unpack(
            self.data[spec.mask_bytes :],
            positions,
            spec.channels,
            spec.values,
            array.dtype,
            spec.elements,
        )
        return array.reshape(spec.shape)

    def dice(self) -> Dice | None:
        """Reads how the values were drawn; None if they are stored.

        Raises:
            CorruptDataError: if the data are damaged.
        """
        if self.spec.values != "seed":
            return None
        return seeded.unpack_dice(self.data[self.spec.mask_bytes :])

    def _stored_mask(self) -> np.ndarray:
        """Decodes the stored elements; all of them if the weight is dense."""
        spec = self.spec
        self._check_length()
        mask = ENCODINGS[spec.encoding].decode(self.mask_data, spec.shape)
        kept = np.count_nonzero(mask)
        check(
            kept == spec.kept,
            f"{spec.kept} elements of {spec.path!r} must be kept.",
            f"a mask that keeps {kept}",
        )
        return mask

    def _check_length(self) -> None:
        """Checks the number of bytes, which bounds the number of values."""
        spec = self.spec
        size = spec.mask_bytes + formats.packed_bytes(
            spec.kept, spec.channels, spec.values, numpy_dtype(spec.dtype)
        )
        check(
            len(self.data) == spec.bytes == size,
            f"{spec.kept} values of {spec.path!r} and the mask must have "
            f"{size} bytes.",
            f"{len(self.data)} bytes, of which {spec.bytes} are announced",
        )

    def check_hash(self) -> None:
        """Raises a CorruptDataError if data or metadata were changed."""
        found = compute_hash(self.spec, self.data)
        check(
            found == self.spec.hash,
            f"The hash of {self.spec.path!r} must be {self.spec.hash}.",
            found,
        )


def spec_from_json(content: Any) -> WeightSpec:
    """Inverts `WeightSpec.to_json` and checks each field.

    Args:
        content: parsed JSON, possibly damaged.

    Raises:
        CorruptDataError: if `content` is not a valid specification.
    """
    fields = {field.name: field for field in dataclasses.fields(WeightSpec)}
    required = {
        name
        for name, field in fields.items()
        if field.default is dataclasses.MISSING
    }
    check(
        isinstance(content, dict) and required <= set(content) <= set(fields),
        f"A weight must have {sorted(required)} and may have more.",
        repr(content)[:200],
    )

    for name, holds in _RULES.items():
        if name in content:
            check(
                holds(content[name]),
                f"{name!r} of a weight must be as it was written.",
                repr(content[name])[:200],
            )

    spec = WeightSpec(**{**content, "shape": tuple(content["shape"])})
    check(
        is_bounded(spec.elements, spec.bytes)
        and spec.mask_bytes <= spec.bytes
        and spec.nonzeros <= spec.elements
        and -1 <= spec.axis < max(len(spec.shape), 1),
        f"The numbers of {spec.path!r} must fit each other.",
        repr(content)[:500],
    )
    return spec


def compute_hash(spec: WeightSpec, data: bytes) -> str:
    """Hashes the metadata of a weight, except their own hash, and its bytes."""
    fields = dataclasses.replace(spec, hash="").to_json()
    digest = hashlib.blake2b(digest_size=_HASH_BYTES)
    digest.update(json.dumps(fields, sort_keys=True).encode())
    digest.update(data)
    return digest.hexdigest()


def not_zero(array: np.ndarray) -> np.ndarray:
    """Returns a bool array, true at elements whose bits are not all 0.

    Unlike `array != 0` it is true at -0.0, whose sign would otherwise be lost.
    """
    octets = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return octets.reshape(-1, array.itemsize).any(axis=1).reshape(array.shape)


def numpy_dtype(name: str) -> np.dtype:
    """Returns the NumPy dtype with the name of a TensorFlow dtype."""
    return np.dtype(tf.as_dtype(name).as_numpy_dtype)


def is_bounded(elements: int, size: int) -> bool:
    """Returns whether `size` bytes may decode to this many elements."""
    return elements <= (size + _HEADER_BYTES) * _EXPANSION


def _is_size(value: Any) -> bool:
    # Not `isinstance`, since JSON's true is an int in Python.
    return type(value) is int and 0 <= value < 1 << 62


def _is_shape(value: Any) -> bool:
    # TensorFlow's shapes have at most 254 dimensions.
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and len(value) < 255
        and all(map(_is_size, value))
    )


def _is_dtype(value: Any) -> bool:
    try:
        dtype = tf.as_dtype(value)
    except TypeError:
        return False
    return isinstance(value, str) and is_storable(dtype)


def is_storable(dtype: tf.DType) -> bool:
    """Returns whether weights of a dtype can be packed: numbers and bool.

    Strings cannot, since their elements differ in size.
    """
    return (
        dtype.is_floating
        or dtype.is_integer
        or dtype.is_complex
        or dtype.is_bool
    )


# Checks of the fields of a `WeightSpec`, by name.
_RULES = {
    "path": lambda value: isinstance(value, str),
    "shape": _is_shape,
    "encoding": lambda value: isinstance(value, str) and value in ENCODINGS,
    "nonzeros": _is_size,
    "offset": _is_size,
    "bytes": _is_size,
    "hash": lambda value: isinstance(value, str),
    "dtype": _is_dtype,
    "values": lambda value: isinstance(value, str) and value in formats.FORMATS,
    "mask_bytes": _is_size,
    "axis": lambda value: type(value) is int,
    "masked": lambda value: isinstance(value, bool),
    "target": lambda value: value is None or _is_size(value),
    "structure": lambda value: value is None or isinstance(value, dict),
    "extra": lambda value: isinstance(value, bool),
}
