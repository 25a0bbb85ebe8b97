"""The methods that the command line offers, from the registry of methods.

The dense baselines stand here; every other method is a row of
`tf_rigl.algorithms.registry`. Its name is also its name in
`tf_rigl.accounting.training_flops`.
"""

import dataclasses
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from tf_rigl.algorithms import registry
from tf_rigl.algorithms.registry import UpdatePlan as UpdatePlan


@dataclasses.dataclass(frozen=True)
class Method:
    """One way to train."""

    label: str  # for people
    row: registry.Row | None = None  # None: trains densely
    command: registry.Command | None = None
    # A dense network, as narrow as the connections of the sparse one demand.
    small: bool = False

    @property
    def is_sparse(self) -> bool:
        """Returns whether the method trains a masked model."""
        return self.row is not None

    @property
    def algorithm(self) -> Callable[[UpdatePlan], Any] | None:
        """Makes the method from a plan; None: trains densely."""
        row, command = self.row, self.command
        if row is None or command is None:
            return None
        return lambda plan: row.algorithm(**command.arguments(plan))

    @property
    def sparsify(self) -> Mapping[str, Any]:
        """Arguments of `tf_rigl.sparsify` that the method needs."""
        return {} if self.row is None else self.row.sparsify_arguments()


METHODS: dict[str, Method] = {
    "dense": Method("Dense"),
    "small_dense": Method("Small-dense", small=True),
} | {
    name: Method(command.label, row, command)
    for row in registry.ROWS
    for name, command in row.commands.items()
}


def label(method: str, sparsity: float) -> str:
    """Names a method with the sparsity, if it has one, as in "RigL 98 %"."""
    chosen = METHODS[method]
    if not chosen.is_sparse and not chosen.small:
        return chosen.label
    return f"{chosen.label} {sparsity * 100:.4g} %"
