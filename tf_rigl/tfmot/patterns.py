"""The structures that correspond to TFMOT's sparsity patterns."""

from typing import Any

import numpy as np

from tf_rigl.core.kernel_layout import KernelLayout
from tf_rigl.core.structures import Block
from tf_rigl.core.structures import NByM
from tf_rigl.core.structures import Structure
from tf_rigl.core.structures import Unstructured

POOLING = {"AVG": "average", "MAX": "max"}


def structure_of(wrapper: Any) -> Structure:
    """Returns the structure of the masks that a wrapper is set to make."""
    if wrapper.sparsity_m_by_n:
        # TFMOT's m is the number of zeros of n elements.
        zeros, size = wrapper.sparsity_m_by_n
        return NByM(size - zeros, size)
    height, width = wrapper.block_size
    if (height, width) == (1, 1):
        return Unstructured()
    pooling = POOLING[wrapper.block_pooling_type]
    return Block(height, width, pooling)  # type: ignore[arg-type]


def connections(
    structure: Structure, layout: KernelLayout, mask: np.ndarray, path: str
) -> int:
    """Returns the target for which a structure allows the given mask.

    Args:
        structure: the structure of the mask.
        layout: the axes of the weight's inputs and units.
        mask: bool array of the weight's shape.
        path: the weight's path, for messages.

    Returns:
        The number of active connections. If the weight cuts off blocks at its
        end, the number that is allotted for as many whole blocks.

    Raises:
        ValueError: if the mask has another structure.
    """
    if isinstance(structure, Unstructured):
        return int(np.count_nonzero(mask))

    structure.check(layout.shape, path)
    view = layout.view(mask).numpy()
    if isinstance(structure, Block):
        _, inputs, units = view.shape
        active = view[:, :: structure.height, :: structure.width]
        filled = active.repeat(structure.height, 1).repeat(structure.width, 2)
        fits = bool(np.array_equal(filled[:, :inputs, :units], view))
        blocks = int(np.count_nonzero(active))
        count = blocks * view.size // structure.units(layout.shape)
    else:
        count = structure.connections(layout.shape, 0)
        size = structure.row_size(layout.shape)  # type: ignore[attr-defined]
        rows = structure.to_rows(view)  # type: ignore[attr-defined]
        active = np.count_nonzero(rows, axis=1)
        fits = bool(np.all(active == count * size // view.size))

    if not fits and not view.all():
        raise ValueError(
            f"A mask must have the structure that its wrapper names. Received: "
            f"another mask for {path!r}, whose wrapper asks for {structure}. "
            "Call TFMOT's `strip_pruning`, then tf_rigl.sparsify(..., "
            "start='magnitude')."
        )
    return view.size if view.all() else count
