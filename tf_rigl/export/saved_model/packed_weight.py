"""A weight of an artifact with its bytes."""

import dataclasses
import hashlib
import json

import numpy as np

from tf_rigl.core.packing import ENCODINGS
from tf_rigl.core.packing import values as formats
from tf_rigl.core.packing.corruption import check
from tf_rigl.export.saved_model.weight_spec import WeightSpec
from tf_rigl.export.saved_model.weight_spec import numpy_dtype

_HASH_BYTES = 6


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
