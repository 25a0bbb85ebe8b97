"""Notice of optimizers that train factors without their Frobenius decay."""

import contextlib
import warnings
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

from tf_rigl.algorithms.frobenius_decay import FactorGroup
from tf_rigl.backend import flavor as flavors


class DecayWatch:
    """Constraint of a factor that changes nothing and tells who applies it.

    Keras's optimizers apply constraints in `fit` and in loops of one's own
    alike, so they come by here. An update rule that adds the decay lifts it.
    """

    keeps_zeros = True  # so that a mask on the factor need not try it out

    def __init__(self, variable: Any) -> None:
        self._variable = variable
        self._original: flavors.Constraint | None = variable.constraint
        self._lifted = 0  # number of replicas that have lifted it
        self._has_told = False

    def __call__(self, weight: Any) -> Any:
        """Returns the factor as it is, and warns the first time."""
        if not self._has_told:
            self._has_told = True
            warnings.warn(
                "Factors with a Frobenius decay are being trained without any "
                "decay, since the optimizers of Keras do not know products. "
                "Pass callbacks=[tf_rigl.UpdateMasks(tf_rigl.Static())] to "
                "`fit`, call tf_rigl.attach(optimizer, model, "
                "tf_rigl.Static()) before a loop of your own, or factorize "
                "with frobenius_decay=0.",
                stacklevel=1,
            )
        return weight if self._original is None else self._original(weight)

    def put(self, flavor: flavors.Flavor) -> None:
        """Sets the constraint on its factor."""
        flavor.set_constraint(self._variable, self)

    def remove(self, flavor: flavors.Flavor) -> None:
        """Restores the factor's own constraint, if any."""
        flavor.set_constraint(self._variable, self._original)

    def lift(self, flavor: flavors.Flavor) -> None:
        """Removes the constraint until `put_back`, for one replica."""
        self._lifted += 1
        self.remove(flavor)

    def put_back(self, flavor: flavors.Flavor) -> None:
        """Undoes `lift` once all replicas have called it."""
        self._lifted -= 1
        if not self._lifted:
            self.put(flavor)


def watch(flavor: flavors.Flavor, groups: Iterable[FactorGroup]) -> None:
    """Watches one factor of each product that decays, once."""
    for group in groups:
        variable = group.variables[0]
        if group.decay.strength and watch_of(variable) is None:
            DecayWatch(variable).put(flavor)


def unwatch(flavor: flavors.Flavor, groups: Iterable[FactorGroup]) -> None:
    """Undoes `watch`."""
    for group in groups:
        found = watch_of(group.variables[0])
        if found is not None:
            found.remove(flavor)


def watch_of(variable: Any) -> DecayWatch | None:
    """Returns the watch that is set on a factor, masked or not, else None."""
    found = variable.constraint
    found = getattr(found, "original", found)  # below that of a mask
    return found if isinstance(found, DecayWatch) else None


@contextlib.contextmanager
def lifted(
    flavor: flavors.Flavor, watches: Iterable[DecayWatch]
) -> Iterator[None]:
    """Lifts watches within a `with` block, inside one that lifts masks."""
    watches = list(watches)
    for one in watches:
        one.lift(flavor)
    try:
        yield
    finally:
        for one in watches:
            one.put_back(flavor)
