"""The less common options of `sparsify`."""

import dataclasses
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

from tf_rigl import _deprecations
from tf_rigl.core import distribution_types
from tf_rigl.core.checks import check_choice
from tf_rigl.core.sparse_initialization import SCALES

# Layers, weights or their names, or a predicate on layers.
Targets = Iterable[Any] | Callable[[Any], bool]


@dataclasses.dataclass(frozen=True)
class SparsifyOptions:
    """The less common options of `sparsify`.

    Attributes:
        include: depthwise convolutions, embeddings and weights of any other
            layer to mask as well: layers, weights or their names, or a
            predicate `(layer) -> bool`.
        scale: whether to scale initial weights up to their remaining
            connections: `"layer"` uses one factor per weight, `"unit"` one per
            unit; None (for trained weights) does not scale. See
            `tf_rigl.core.sparse_initialization`.
        keep_initial_values: whether to keep the present values of all weights,
            before zeros are set, for `RigL(grow_init="initial")`. They take as
            many bytes as the weights.
        diagnostics: whether to keep with each mask which positions were ever
            active and statistics of the last mask update, for `diagnose`, the
            logs of `UpdateMasks` and `MaskDiagnostics`. Takes one bit per
            element, two if `start="magnitude"`.
    """

    include: Targets = ()
    scale: str | None = None
    keep_initial_values: bool = False
    diagnostics: bool = True

    def __post_init__(self) -> None:
        """Checks `scale`, and makes `include` reusable."""
        check_choice("scale", self.scale, (None, *SCALES))
        if isinstance(self.include, Iterator):
            # An iterator would be exhausted after the first model.
            object.__setattr__(self, "include", tuple(self.include))


# Arguments of `sparsify` before 0.2, with their replacements.
MOVED = {
    "budget": 'distribution=tf_rigl.ERK(budget="reference")',
    "power": "distribution=tf_rigl.ERK(power=0.5)",
    "include": 'options=tf_rigl.SparsifyOptions(include=["embedding"])',
    "scale": 'options=tf_rigl.SparsifyOptions(scale="layer")',
    "keep_initial_values": (
        "options=tf_rigl.SparsifyOptions(keep_initial_values=True)"
    ),
    "diagnostics": "options=tf_rigl.SparsifyOptions(diagnostics=False)",
}

_fold_into_options = _deprecations.fold_into("options", SparsifyOptions)


def fold_moved(
    arguments: _deprecations.Arguments, old: _deprecations.Arguments
) -> None:
    """Moves arguments from before 0.2 into the objects that now hold them.

    Updates `arguments`, those of `sparsify`, with those in `old`.

    Raises:
        ValueError: if one of these objects is passed as well.
    """
    of_options = dict(old)
    of_distribution = {
        name: of_options.pop(name)
        for name in ("budget", "power")
        if name in old
    }

    if of_distribution:
        given = arguments.get("distribution", "erk")
        if isinstance(given, distribution_types.WithOptions):
            raise ValueError(
                "The distribution has its options itself. Received: "
                f"distribution={given!r} and {sorted(of_distribution)}. Move "
                "them into it."
            )
        arguments["distribution"] = distribution_types.with_options(
            given, **of_distribution
        )
    if of_options:
        _fold_into_options(arguments, of_options)
