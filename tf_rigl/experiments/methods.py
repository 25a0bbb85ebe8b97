"""The methods of the experiments: dense baselines and registered methods.

Sparse methods are rows of `tf_rigl.algorithms.registry`. Their names are those
in `tf_rigl.accounting.training_flops`.
"""

import dataclasses
import inspect
import re
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
    # Whether it is an algorithm object of a user, which has no row.
    is_object: bool = False

    @property
    def is_sparse(self) -> bool:
        """Returns whether the method trains a masked model."""
        return self.row is not None or self.is_object

    @property
    def algorithm(self) -> Callable[[UpdatePlan], Any] | None:
        """The function that makes the method from a plan; None if dense."""
        row, command = self.row, self.command
        if row is None or command is None:
            return None
        return lambda plan: row.make(**command.arguments(plan))

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


def find(name: str) -> Method:
    """Returns the method that results name.

    It is one of the command line or, with a parenthesis as in
    "rigl(drop_fraction=0.1)", an algorithm object that `name_of` has named.
    """
    if name in METHODS:
        return METHODS[name]
    base, parenthesis, arguments = name.partition("(")
    label = METHODS[base].label if base in METHODS else base
    return Method(f"{label}{parenthesis}{arguments}", is_object=True)


def name_of(algorithm: Any) -> str:
    """Names an algorithm object by its arguments other than the defaults.

    The seed is left out, which belongs to a run. The parenthesis, empty for
    the defaults, tells it from the method of the command line.
    """
    own = _arguments(algorithm)
    try:
        default = _arguments(type(algorithm)())
    except TypeError:  # it has arguments without defaults
        default = {}
    changed = [
        f"{name}={text_of(value)}"
        for name, value in own.items()
        if name != "seed" and (name not in default or value != default[name])
    ]
    return f"{algorithm.name}({', '.join(changed)})"


def label(method: str, sparsity: float) -> str:
    """Returns a method's label, with any sparsity, as in "RigL 98 %"."""
    chosen = find(method)
    if not chosen.is_sparse and not chosen.small:
        return chosen.label
    return f"{chosen.label} {sparsity * 100:.4g} %"


def text_of(value: Any) -> str:
    """Returns the text of an argument, without addresses in memory."""
    if inspect.isroutine(value) or inspect.isclass(value):
        return value.__name__
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def _arguments(algorithm: Any) -> dict[str, Any]:
    if not dataclasses.is_dataclass(algorithm):
        return {}
    return {
        one.name: getattr(algorithm, one.name)
        for one in dataclasses.fields(algorithm)
        if one.init
    }
