"""Packs a weight that is stored by its connections, without a dense array."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from tf_rigl.core.packing import values as formats
from tf_rigl.core.packing.bit_mask import BitMask
from tf_rigl.core.packing.gaps import Gaps
from tf_rigl.export.saved_model import packed_weight

# Approximate bytes that decoding one more sparse weight adds to the graph.
CALL_BYTES = 60


@dataclasses.dataclass(frozen=True)
class ConnectionsToPack:
    """An unstructured weight before it is packed, by its connections.

    What is packed is that of a `WeightToPack` of the same weight.
    """

    path: str  # path of the weight in its model
    shape: tuple[int, ...]
    positions: np.ndarray  # int64 [nnz], flat, in ascending order
    values: np.ndarray  # [nnz]
    axis: int  # axis of the channels, each of which has a scale in int8
    stored: formats.Format  # format in which values are stored
    target: int  # number of connections that `sparsify` allotted
    extra: bool = False  # True for variables that only signatures use

    @property
    def elements(self) -> int:
        """Number of elements of the weight."""
        return math.prod(self.shape)

    @property
    def dense_bytes(self) -> int:
        """Bytes of all values, unpacked."""
        return self.elements * self.values.itemsize

    @property
    def channels(self) -> formats.Channels:
        """The channels that have scales in int8."""
        return formats.axis_channels(self.shape, self.axis)

    def candidates(self, names: Sequence[str]) -> "ConnectionCandidates":
        """Measures the named encodings that pack lists of positions."""
        masks = {"bit_mask": -(-self.elements // 8)}
        gaps = Gaps.encode_positions(self.positions)
        masks["gaps"] = len(gaps)
        sizes = {
            name: size
            + CALL_BYTES
            + formats.packed_bytes(
                len(self.values), self.channels, self.stored, self.values.dtype
            )
            for name, size in masks.items()
            if name in names and packed_weight.is_bounded(self.elements, size)
        }
        # Dense values tell the mask if all active ones are exact and not 0.
        not_zero = packed_weight.not_zero(self.values)
        if self.stored == "float32" and not_zero.all():
            sizes["dense"] = self.dense_bytes
        return ConnectionCandidates(self, gaps, sizes)

    def error(self, packed: packed_weight.PackedWeight) -> float:
        """Returns the largest error of the values that have been packed."""
        stored = formats.unpack(
            packed.data[packed.spec.mask_bytes :],
            self.positions,
            self.channels,
            packed.spec.values,
            self.values.dtype,
            self.elements,
        )
        errors = np.abs(stored.astype(np.float64) - self.values)
        return errors.max(initial=0).item()


@dataclasses.dataclass(frozen=True)
class ConnectionCandidates:
    """A weight with its size in each encoding that can express it."""

    source: ConnectionsToPack
    gaps: bytes  # the positions, packed as gaps
    by_name: dict[str, int]  # bytes by encoding

    def sizes(self) -> dict[str, int]:
        """Returns the bytes by encoding, including those of the graph."""
        return self.by_name

    def pack(self, encoding: str) -> packed_weight.PackedWeight:
        """Packs the weight by one of the encodings."""
        source = self.source
        mask = {
            "gaps": lambda: self.gaps,
            "bit_mask": lambda: BitMask.encode_positions(
                source.positions, source.elements
            ),
            "dense": lambda: b"",
        }[encoding]()
        values = self._dense() if encoding == "dense" else self._listed()
        nonzeros = len(source.values)
        return packed_weight.PackedWeight(
            packed_weight.WeightSpec(
                path=source.path,
                shape=source.shape,
                encoding=encoding,
                nonzeros=nonzeros,
                offset=0,
                bytes=len(mask) + len(values),
                dtype=source.values.dtype.name,
                values=source.stored,
                mask_bytes=len(mask),
                axis=source.axis if source.stored == "int8" else -1,
                masked=True,
                target=source.target if source.target != nonzeros else None,
                extra=source.extra,
            ),
            mask + values,
        )

    def _listed(self) -> bytes:
        source = self.source
        try:
            return formats.pack(
                source.values, source.positions, source.channels, source.stored
            )
        except ValueError as error:
            raise ValueError(f"{source.path}: {error}") from error

    def _dense(self) -> bytes:
        """Packs all elements; chosen only where that is smaller."""
        source = self.source
        flat = np.zeros(source.elements, source.values.dtype)
        flat[source.positions] = source.values
        return flat.tobytes()
