"""Blocks of inputs and units that are active as a whole."""

import dataclasses
from typing import Any
from typing import ClassVar

from tf_rigl.core.checks import check_choice
from tf_rigl.core.structures import tiles
from tf_rigl.core.structures.structure import check_positive
from tf_rigl.core.structures.tiled import Tiled


@dataclasses.dataclass(frozen=True)
class Block(Tiled):
    """Blocks of `height` inputs by `width` units at each position.

    Where the weight's size is no multiple of the block's, the blocks at its
    end hold the elements that are left. They count as whole blocks, and their
    average is over the elements that they have. The exact invariant is the
    number of active blocks; see `Tiled`.

    Attributes:
        height: inputs of a block.
        width: units of a block.
        pooling: how the magnitudes of a block become its score, `"average"`
            or `"max"`.

    Raises:
        TypeError: for a size that is no integer.
        ValueError: for a size below 1, or an unknown pooling.

    Reference: Narang et al., "Block-Sparse Recurrent Neural Networks",
    arXiv:1711.02782 (`"max"`); `"average"` is the default of TensorFlow's
    model optimization toolkit and of JaxPruner (arXiv:2304.14082).
    """

    name: ClassVar[str] = "block"

    height: int
    width: int
    pooling: tiles.Pooling = "average"

    def __post_init__(self) -> None:
        check_positive("height", self.height)
        check_positive("width", self.width)
        check_choice("pooling", self.pooling, tiles.POOLINGS)

    def tile(self, shape: tiles.Size) -> tiles.Size:
        """One position, `height` inputs, `width` units."""
        _, inputs, units = shape
        return 1, min(self.height, inputs), min(self.width, units)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, plain JSON values."""
        return dataclasses.asdict(self)
