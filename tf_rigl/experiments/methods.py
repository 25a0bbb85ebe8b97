"""The methods of the command line: dense baselines and registered methods.

Sparse methods are rows of `tf_rigl.algorithms.registry`. Their names are those
in `tf_rigl.accounting.training_flops`.
"""

import dataclasses
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from tf_rigl.algorithms import registry
from tf_rigl.algorithms.registry import UpdatePlan as UpdatePlan


@dataclasses.dataclass(frozen=True)
class Method:
    """A training method of the command line."""

    label: str  # the name in tables and plots
    row: registry.Row | None = None  # None for a dense method
    command: registry.Command | None = None
    # Whether a dense network is made as small as the sparse one.
    small: bool = False

    @property
    def is_sparse(self) -> bool:
        """Returns whether the method trains a masked model."""
        return self.row is not None

    @property
    def algorithm(self) -> Callable[[UpdatePlan], Any] | None:
        """The function that makes the method from a plan; None if dense."""
        row, command = self.row, self.command
        if row is None or command is None:
            return None
        return lambda plan: row.algorithm(**command.arguments(plan))

    @property
    def sparsify(self) -> Mapping[str, Any]:
        """The arguments of `tf_rigl.sparsify` that the method requires."""
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
    """Returns a method's label, with any sparsity, as in "RigL 98 %"."""
    chosen = METHODS[method]
    if not chosen.is_sparse and not chosen.small:
        return chosen.label
    return f"{chosen.label} {sparsity * 100:.4g} %"
