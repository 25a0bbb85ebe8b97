"""Chooses an encoding for each weight of an artifact and packs its bytes."""

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_rigl.core.kernel_layout import KernelLayout
from tf_rigl.core.packing import ENCODINGS
from tf_rigl.core.packing import seeded
from tf_rigl.core.packing import values as formats
from tf_rigl.core.packing.smallest import choose_smallest
from tf_rigl.export.saved_model import packed_weight
from tf_rigl.export.saved_model.pack_connections import CALL_BYTES
from tf_rigl.export.saved_model.pack_connections import ConnectionsToPack

SMALLEST = "smallest"
# A weight that is no kernel may be stored sparse from this many elements on.
_LARGE = 1 << 14


@dataclasses.dataclass(frozen=True)
class WeightToPack:
    """A weight before it is packed."""

    path: str  # path of the weight in its model
    array: np.ndarray  # values
    # Bool, of the weight's shape: which elements to keep. None for a weight
    # without a mask, whose non-zero elements are kept.
    mask: np.ndarray | None = None
    layout: KernelLayout | None = None  # axes of inputs and units, if known
    axis: int = -1  # axis of the channels, each of which has a scale in int8
    stored: formats.Format = "float32"  # format in which values are stored
    # Number of connections that `sparsify` allotted; None without a mask.
    target: int | None = None
    # Configuration of the mask's structure; None for an unstructured mask.
    structure: Mapping[str, Any] | None = None
    draw: seeded.Draw | None = None  # of values that are stored as a seed
    extra: bool = False  # True for variables that only signatures use

    @property
    def dense_bytes(self) -> int:
        """Bytes of all values, unpacked."""
        return self.array.nbytes

    def error(self, packed: packed_weight.PackedWeight) -> float:
        """Returns the largest error of the values that have been packed."""
        stored = packed.array().astype(np.float64)
        return np.abs(stored - self.array.astype(np.float64)).max().item()


# A weight with all of its elements, or by its connections.
Source = WeightToPack | ConnectionsToPack


@dataclasses.dataclass(frozen=True)
class _Candidates:
    """A weight with its mask in each encoding that can express it."""

    source: WeightToPack
    nonzero: np.ndarray  # bool, of the weight's shape: which values are not 0
    kept: np.ndarray  # bool, of the weight's shape: which elements are kept
    masks: dict[str, bytes]  # packed masks, by the name of the encoding

    @property
    def is_mask_in_values(self) -> bool:
        """True if the mask can be recovered from dense values.

        This holds if exactly the non-zero values are active and no value is
        rounded, because rounding may turn active values into zeros.
        """
        if self.source.mask is None:
            return True
        exact = self.source.stored == "float32"
        return exact and np.array_equal(self.kept, self.nonzero)

    def sizes(self) -> dict[str, int]:
        """Returns the bytes by encoding, including those of the graph."""
        return {name: self._size(name) for name in self.masks}

    def pack(self, encoding: str) -> packed_weight.PackedWeight:
        """Packs the weight by one of the encodings."""
        return _pack(self, encoding)

    def _size(self, name: str) -> int:
        source = self.source
        values = formats.packed_bytes(
            source.array.size if name == "dense" else self.kept.sum().item(),
            formats.axis_channels(source.array.shape, source.axis),
            source.stored,
            source.array.dtype,
        )
        call = 0 if name == "dense" else CALL_BYTES
        return len(self.masks[name]) + values + call


def pack_weights(
    sources: Sequence[Source], compression: str
) -> list[packed_weight.PackedWeight]:
    """Packs the weights of an artifact.

    Offsets and hashes are set later, by `packed_file.place_weights`.

    Args:
        sources: the weights.
        compression: "smallest", or the name of the one encoding that may be
            used instead of dense storage where it is smaller.

    Raises:
        ValueError: if the encoding cannot express the mask of a weight, or if
            a value does not fit its format.
    """
    names = list(ENCODINGS) if compression == SMALLEST else [compression]
    candidates = [
        source.candidates(names)
        if isinstance(source, ConnectionsToPack)
        else _candidates(source, names)
        for source in sources
    ]

    sizes = [candidate.sizes() for candidate in candidates]
    if compression == SMALLEST:
        chosen = choose_smallest(sizes)
    else:
        chosen = [min(by_name, key=by_name.__getitem__) for by_name in sizes]

    return [
        candidate.pack(name)
        for candidate, name in zip(candidates, chosen, strict=True)
    ]


def _candidates(source: WeightToPack, names: Sequence[str]) -> _Candidates:
    """Encodes the mask of a weight in each of the named encodings.

    Raises:
        ValueError: if the weight has a mask that none of them can express.
    """
    nonzero = packed_weight.not_zero(source.array)
    kept = nonzero if source.mask is None else source.mask
    candidates = _Candidates(source, nonzero, kept, {})
    sparse = not kept.all()

    # Dense storage has no mask, so that the mask would be lost unless the
    # values tell it. The user may ask for this with compression="dense". A seed
    # draws values that the mask must hide.
    drawn = source.draw is not None
    lossless = names[0] == "dense" or candidates.is_mask_in_values
    if not sparse or (lossless and not drawn):
        candidates.masks["dense"] = b""

    if sparse and (drawn or _may_be_sparse(source)):
        for name in names:
            data = ENCODINGS[name].encode(kept, source.layout)
            if data is not None and packed_weight.is_bounded(
                kept.size, len(data)
            ):
                candidates.masks[name] = data

    has_encoding = bool(candidates.masks.keys() & names)
    if source.mask is not None and sparse and not has_encoding:
        raise ValueError(
            "The encoding must be able to express the masks of the model. "
            f"Received: compression={names[0]!r} for {source.path!r}, whose "
            "mask has no such structure. Pass compression='smallest'."
        )

    return candidates


def _may_be_sparse(source: WeightToPack) -> bool:
    """Returns whether zeros of a weight may be left out.

    Integers and small weights that are no kernels are stored dense: the zeros
    of an untrained bias, for instance, are not worth decoding.
    """
    large = source.layout is not None or source.array.size >= _LARGE
    return large and source.array.dtype.kind not in "biu"


def _pack(candidates: _Candidates, encoding: str) -> packed_weight.PackedWeight:
    source = candidates.source
    dense = encoding == "dense"
    kept = np.ones_like(candidates.kept) if dense else candidates.kept

    mask = candidates.masks[encoding]
    values = _pack_values(source, kept)

    # Dense storage keeps the mask only if it is full or if the values tell it.
    # A mask that is lost is not recorded.
    masked = source.target is not None and (
        not dense
        or candidates.kept.all().item()
        or candidates.is_mask_in_values
    )
    counted = candidates.kept if masked else candidates.nonzero
    nonzeros = counted.sum().item()
    # Usually a mask has as many connections as its target.
    differs = masked and source.target != nonzeros

    return packed_weight.PackedWeight(
        packed_weight.WeightSpec(
            path=source.path,
            shape=source.array.shape,
            encoding=encoding,
            nonzeros=nonzeros,
            offset=0,
            bytes=len(mask) + len(values),
            dtype=source.array.dtype.name,
            values=source.stored,
            mask_bytes=len(mask),
            axis=source.axis if source.stored == "int8" else -1,
            masked=masked,
            target=source.target if differs else None,
            structure=source.structure if masked else None,
            extra=source.extra,
        ),
        mask + values,
    )


def _pack_values(source: WeightToPack, kept: np.ndarray) -> bytes:
    values = source.array[kept]
    if source.draw is not None:
        return seeded.pack(values, source.draw, source.array.size)

    try:
        return formats.pack(
            values,
            np.flatnonzero(kept),
            formats.axis_channels(source.array.shape, source.axis),
            source.stored,
        )
    except ValueError as error:
        raise ValueError(f"{source.path}: {error}") from error
