"""Whole units or whole inputs."""

import dataclasses
from typing import Any
from typing import ClassVar
from typing import Literal

from tf_rigl.core.checks import check_choice
from tf_rigl.core.structures import tiles
from tf_rigl.core.structures.tiled import Tiled

AXES = ("units", "inputs")


@dataclasses.dataclass(frozen=True)
class Channel(Tiled):
    """All connections of a unit, or of an input, are active or none.

    A unit is an output channel of a convolution or a neuron of a dense layer,
    an input is an input channel or feature. With c of them and n elements,
    c - floor((n - nonzeros) · c / n) are active.

    Attributes:
        axis: `"units"` or `"inputs"`.
        pooling: how the magnitudes of a channel become its score, `"average"`
            or `"max"`.

    Raises:
        ValueError: for an unknown axis or pooling.

    Reference: Li et al., "Pruning Filters for Efficient ConvNets", ICLR 2017
    (arXiv:1608.08710), section 3.1, units by their sum of magnitudes.
    """

    name: ClassVar[str] = "channel"

    axis: Literal["units", "inputs"] = "units"
    pooling: tiles.Pooling = "average"

    def __post_init__(self) -> None:
        check_choice("axis", self.axis, AXES)
        check_choice("pooling", self.pooling, tiles.POOLINGS)

    def tile(self, shape: tiles.Size) -> tiles.Size:
        """Everything along the two other axes."""
        positions, inputs, units = shape
        if self.axis == "units":
            return positions, inputs, 1
        return positions, 1, units

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, plain JSON values."""
        return dataclasses.asdict(self)
