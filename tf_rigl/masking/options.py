"""Options that few users of `sparsify` need."""

import dataclasses
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

from tf_rigl import _deprecations
from tf_rigl.core import distribution_types
from tf_rigl.core.checks import check_choice
from tf_rigl.core.sparse_initialization import SCALES

# Layers, weights or their names; or a predicate of layers.
Targets = Iterable[Any] | Callable[[Any], bool]


@dataclasses.dataclass(frozen=True)
class SparsifyOptions:
    """Options of `sparsify`.

    Attributes:
        include: depthwise convolutions, embeddings and weights of any other
            layer to mask as well: layers, weights or their names, or a
            predicate `(layer) -> bool`.
        scale: whether to scale initial weights up to the connections that are
            left: `"layer"`, one factor a weight; `"unit"`, one a unit; None:
            not, as befits trained weights. See
            `tf_rigl.core.sparse_initialization`.
        keep_initial_values: whether to keep the values of all weights as
            they are now, zeros not yet set, for
            `RigL(grow_init="initial")`; they take as many bytes again.
        diagnostics: whether to keep beside each mask which positions were
            ever active and what the last mask update saw, for `diagnose`,
            the logs of `UpdateMasks` and `MaskDiagnostics`; one bit an
            element, two where `start="magnitude"`.
    """

    include: Targets = ()
    scale: str | None = None
    keep_initial_values: bool = False
    diagnostics: bool = True

    def __post_init__(self) -> None:
        """Checks the choices."""
        check_choice("scale", self.scale, (None, *SCALES))
        if isinstance(self.include, Iterator):
            # It must name the same layers for every model.
            object.__setattr__(self, "include", tuple(self.include))


# The arguments that `sparsify` had before 0.2, and what to pass instead.
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
    """Puts arguments of before 0.2 into the objects that have them now.

    Changes `arguments`, those of `sparsify`, by values of some of `MOVED`.

    Raises:
        ValueError: if one of the objects is passed as well.
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
