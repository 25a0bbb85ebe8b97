"""A weight of an artifact: its bytes, and the metadata that tell what they are.

`spec_from_json` takes metadata from anywhere and checks them.
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

from tf_rigl.core.packing import ENCODINGS
from tf_rigl.core.packing import values as formats
from tf_rigl.core.packing.corruption import check

_HASH_BYTES = 6
# Elements that a byte may stand for at most, so that damaged metadata cannot
# ask for memory without end; headers are given a few bytes more.
_EXPANSION = 1 << 20
_HEADER_BYTES = 64


@dataclasses.dataclass(frozen=True)
class WeightSpec:
    """Everything that is known of a weight of an artifact but its bytes."""

    path: str  # of the weight in its model
    shape: tuple[int, ...]  # of the weight
    nonzeros: int  # number of elements that are kept
    offset: int  # of its bytes in the file of all weights
    bytes: int  # number of its bytes, the mask first, then the values
    encoding: str  # how its mask is stored, one of `core.packing.ENCODINGS`
    hash: str = ""  # of all of this and of the bytes
    dtype: str = "float32"  # name of the weight's dtype
    # Format of the values, one of `core.packing.values.FORMATS`.
    values: formats.Format = "float32"
    mask_bytes: int = 0  # number of bytes of the mask
    axis: int = -1  # of the channels that have scales; -1 for the last
    # Whether the weight has a mask in its model. If not, what is not zero is
    # kept.
    masked: bool = False
    # Connections that the mask was allotted; None: `nonzeros`.
    target: int | None = None
    # Configuration of the mask's structure, None for none.
    structure: Mapping[str, Any] | None = None
    # Whether it is no weight of the model but one that a signature uses by
    # itself.
    extra: bool = False

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def kept(self) -> int:
        """Number of values that are stored: zeros, too, if it is dense."""
        return self.elements if self.encoding == "dense" else self.nonzeros

    @property
    def channels(self) -> formats.Channels:
        """The channels that have scales."""
        return formats.axis_channels(self.shape, self.axis)

    def to_json(self) -> dict[str, Any]:
        """Returns the attributes but those that have their defaults."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        }


@dataclasses.dataclass(frozen=True)
class PackedWeight:
    """A weight of an artifact."""

    spec: WeightSpec  # what is known of it
    data: bytes  # its bytes, the mask and the values

    @property
    def mask_data(self) -> bytes:
        """The bytes of the mask."""
        return self.data[: self.spec.mask_bytes]

    def mask(self) -> np.ndarray:
        """Returns which elements are kept: bool, of the weight's shape.

        Raises:
            CorruptDataError: if the data are damaged.
        """
        spec = self.spec
        if spec.encoding == "dense" and spec.nonzeros < spec.elements:
            # Such weights are dense only if their exact values tell the mask.
            return not_zero(self.array())
        return self._stored_mask()

    def array(self) -> np.ndarray:
        """Decodes the weight, zero where nothing is kept.

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
        )
        return array.reshape(spec.shape)

    def _stored_mask(self) -> np.ndarray:
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
        """Checks that values take bytes, so that no count can be absurd."""
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
        """Raises a CorruptDataError unless all is as it was written."""
        found = compute_hash(self.spec, self.data)
        check(
            found == self.spec.hash,
            f"The hash of {self.spec.path!r} must be {self.spec.hash}.",
            found,
        )


def spec_from_json(content: Any) -> WeightSpec:
    """Inverts `WeightSpec.to_json` and checks what it is given.

    Raises:
        CorruptDataError: if it is no spec.
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
    """Hashes the specification of a weight, hash left out, and its bytes."""
    known = dataclasses.replace(spec, hash="").to_json()
    digest = hashlib.blake2b(digest_size=_HASH_BYTES)
    digest.update(json.dumps(known, sort_keys=True).encode())
    digest.update(data)
    return digest.hexdigest()


def not_zero(array: np.ndarray) -> np.ndarray:
    """Returns which elements have other bits than 0, as -0.0 has."""
    octets = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return octets.reshape(-1, array.itemsize).any(axis=1).reshape(array.shape)


def numpy_dtype(name: str) -> np.dtype:
    """Returns the NumPy dtype of a TensorFlow dtype's name."""
    return np.dtype(tf.as_dtype(name).as_numpy_dtype)


def is_bounded(elements: int, size: int) -> bool:
    """Returns whether so many bytes may stand for so many elements."""
    return elements <= (size + _HEADER_BYTES) * _EXPANSION


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 62


def _is_shape(value: Any) -> bool:
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
    """Returns whether each element of a dtype takes the same bytes."""
    return (
        dtype.is_floating
        or dtype.is_integer
        or dtype.is_complex
        or (dtype.is_bool)
    )


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
