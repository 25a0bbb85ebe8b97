"""Chooses an encoding for each weight of an artifact and packs it."""

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_rigl.core.kernel_layout import KernelLayout
from tf_rigl.core.packing import ENCODINGS
from tf_rigl.core.packing import values as formats
from tf_rigl.core.packing.smallest import choose_smallest
from tf_rigl.export.saved_model import packed_weight

SMALLEST = "smallest"
# Elements from which a weight of unknown use may be stored sparse.
_LARGE = 1 << 14
# Decoding one more weight takes about as much of the graph.
_CALL_BYTES = 60


@dataclasses.dataclass(frozen=True)
class WeightToPack:
    """A weight that is to be packed."""

    path: str  # of the weight
    array: np.ndarray  # its values
    # Bool of its shape, what is to be kept; None if it has no mask and what is
    # not zero is to be kept.
    mask: np.ndarray | None = None
    # Where its inputs and units are, None if unknown.
    layout: KernelLayout | None = None
    axis: int = -1  # of the channels that have scales
    stored: formats.Format = "float32"  # the format of its values
    # Connections that its mask was allotted; None: no mask.
    target: int | None = None
    # Configuration of the mask's structure, None for none.
    structure: Mapping[str, Any] | None = None
    extra: bool = False  # whether it is no weight of the model


@dataclasses.dataclass(frozen=True)
class _Packing:
    """A source and the masks that it may be stored with."""

    source: WeightToPack
    nonzero: np.ndarray  # bool, of its shape: which values are not zero
    kept: np.ndarray  # bool, of its shape
    masks: dict[str, bytes]  # packed, by the name of the encoding

    @property
    def is_told_by_values(self) -> bool:
        """True if dense values tell what is kept."""
        if self.source.mask is None:
            return True
        exact = self.source.stored == "float32"
        return exact and np.array_equal(self.kept, self.nonzero)

    def sizes(self) -> dict[str, int]:
        """Returns bytes by encoding, those of the graph included."""
        return {name: self._size(name) for name in self.masks}

    def _size(self, name: str) -> int:
        source = self.source
        values = formats.packed_bytes(
            source.array.size if name == "dense" else self.kept.sum().item(),
            formats.axis_channels(source.array.shape, source.axis),
            source.stored,
            source.array.dtype,
        )
        call = 0 if name == "dense" else _CALL_BYTES
        return len(self.masks[name]) + values + call


def pack_weights(
    sources: Sequence[WeightToPack], compression: str
) -> list[packed_weight.PackedWeight]:
    """Packs the weights of an artifact; places and hashes are not set yet.

    `compression` is `"smallest"`, or the name of the one encoding that sparse
    weights may have if it is smaller than the dense weight.

    Raises:
        ValueError: if the encoding cannot express the mask of a weight, or
            values do not fit their format.
    """
    names = list(ENCODINGS) if compression == SMALLEST else [compression]
    packings = [_packing(source, names) for source in sources]

    sizes = [packing.sizes() for packing in packings]
    if compression == SMALLEST:
        chosen = choose_smallest(sizes)
    else:
        chosen = [min(one, key=one.__getitem__) for one in sizes]

    return list(map(_packed, packings, chosen))


def _packing(source: WeightToPack, names: Sequence[str]) -> _Packing:
    nonzero = packed_weight.not_zero(source.array)
    kept = nonzero if source.mask is None else source.mask
    packing = _Packing(source, nonzero, kept, {})
    sparse = not kept.all()

    # Where a mask is not just what is not zero, dense values would lose it.
    if names[0] == "dense" or not sparse or packing.is_told_by_values:
        packing.masks["dense"] = b""

    if sparse and _may_be_sparse(source):
        for name in names:
            data = ENCODINGS[name].encode(kept, source.layout)
            if data is not None and packed_weight.is_bounded(
                kept.size, len(data)
            ):
                packing.masks[name] = data

    if source.mask is not None and sparse and not packing.masks.keys() & names:
        raise ValueError(
            "The encoding must be able to express the masks of the model. "
            f"Received: compression={names[0]!r} for {source.path!r}, whose "
            "mask has no such structure. Pass compression='smallest'."
        )

    return packing


def _may_be_sparse(source: WeightToPack) -> bool:
    """Returns whether to look for zeros: not in biases still untrained."""
    large = source.layout is not None or source.array.size >= _LARGE
    return large and source.array.dtype.kind not in "biu"


def _packed(packing: _Packing, encoding: str) -> packed_weight.PackedWeight:
    """Packs a weight in an encoding."""
    source = packing.source
    dense = encoding == "dense"
    kept = np.ones_like(packing.kept) if dense else packing.kept

    mask = packing.masks[encoding]
    try:
        values = formats.pack(
            source.array[kept],
            np.flatnonzero(kept),
            formats.axis_channels(source.array.shape, source.axis),
            source.stored,
        )
    except ValueError as error:
        raise ValueError(f"{source.path}: {error}") from error

    masked = source.target is not None and (
        not dense or packing.kept.all().item() or packing.is_told_by_values
    )
    told = packing.kept if masked else packing.nonzero
    nonzeros = told.sum().item()
    is_short = masked and source.target != nonzeros

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
            target=source.target if is_short else None,
            structure=source.structure if masked else None,
            extra=source.extra,
        ),
        mask + values,
    )
