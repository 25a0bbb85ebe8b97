"""This library's part of a factorized layer's configuration.

Keras writes it into `.keras` files, tf_keras also into HDF5 files and
SavedModels, so files outlive the code that wrote them. A version that is not
known is an error, since the weights of the file would not fit.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from tf_rigl.algorithms.frobenius_decay import FrobeniusDecay
from tf_rigl.core import low_rank
from tf_rigl.version import __version__

VERSION = 1


@dataclasses.dataclass(frozen=True)
class KernelFactors:
    """The factors that stand for one kernel."""

    shape: tuple[int, ...]  # shape of the kernel
    rank: int  # the inner size
    depth: int  # the number of factors, 2 or 3
    form: str  # one of the forms of `layouts`

    def num_weights(self, sizes: tuple[int, int]) -> int:
        """Returns the elements of all factors of a matrix of some sizes."""
        return low_rank.num_weights(*sizes, self.rank, self.depth)

    def is_thin(self, sizes: tuple[int, int]) -> bool:
        """Returns whether a call by the factors does less than the kernel."""
        return self.num_weights(sizes) < math.prod(self.shape)


@dataclasses.dataclass(frozen=True)
class LayerFactors:
    """The configuration of the factors below one layer."""

    # By the key of the kernel within the layer.
    kernels: dict[str, KernelFactors]
    decay: FrobeniusDecay
    # The keys of attention layers whose heads are pairs of factors, with the
    # sizes of keys and values that they had.
    heads: dict[str, tuple[int, int]] = dataclasses.field(default_factory=dict)


def serialize(config: LayerFactors) -> dict[str, Any]:
    """Converts a configuration to JSON values."""
    return {
        "version": VERSION,
        "tf_rigl": __version__,
        "kernels": {
            key: {**dataclasses.asdict(one), "shape": list(one.shape)}
            for key, one in config.kernels.items()
        },
        "decay": dataclasses.asdict(config.decay),
        "heads": {key: list(sizes) for key, sizes in config.heads.items()},
    }


def deserialize(config: Mapping[str, Any]) -> LayerFactors:
    """Reads what `serialize` wrote.

    Raises:
        ValueError: if the configuration needs a newer tf_rigl.
    """
    version = config.get("version")
    if version != VERSION:
        raise ValueError(
            "A factorized layer must have a configuration that this tf_rigl "
            f"({__version__}, version {VERSION} of the configuration) can "
            f"read. Received: version={version!r}, written by tf_rigl "
            f"{config.get('tf_rigl', 'unknown')}. Install a newer tf_rigl."
        )
    return LayerFactors(
        {
            key: KernelFactors(**{**one, "shape": tuple(one["shape"])})
            for key, one in config["kernels"].items()
        },
        FrobeniusDecay(**config["decay"]),
        {key: (sizes[0], sizes[1]) for key, sizes in config["heads"].items()},
    )
