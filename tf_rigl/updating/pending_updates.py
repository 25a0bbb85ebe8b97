"""The variables of one step, gathered until all have come by."""

import dataclasses
from collections.abc import Callable
from typing import Any
from typing import NamedTuple

from tf_rigl.updating.mask_update import StepWeight


class Item(NamedTuple):
    """A variable that came by."""

    gradient: Any  # a tensor or slices of one
    step: Callable[[], None]  # takes its step
    weight: StepWeight | None  # None where it is not masked


@dataclasses.dataclass
class Gathered:
    """What one application of gradients brings by, variable by variable."""

    keys: frozenset[str]  # of the variables that will come by
    # For each replica, by key: what has come by so far.
    replicas: list[dict[str, Item]] = dataclasses.field(default_factory=list)

    def add(self, key: str, item: Item) -> list[Item]:
        """Adds one; returns all of its replica's once complete, else none.

        A key that comes by for the n-th time belongs to the n-th replica. One
        that was not announced stands alone.
        """
        if key not in self.keys:
            return [item]
        for replica in self.replicas:
            if key not in replica:
                break
        else:
            replica = {}
            self.replicas.append(replica)
        replica[key] = item
        if frozenset(replica) != self.keys:
            return []
        return list(replica.values())
