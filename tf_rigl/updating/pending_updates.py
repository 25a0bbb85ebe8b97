"""The variables of one step, held until all of a replica have come."""

import dataclasses
from collections.abc import Callable
from typing import Any
from typing import NamedTuple

from tf_rigl.updating.mask_update import StepWeight


class PendingUpdate(NamedTuple):
    """A variable whose step waits for the others."""

    gradient: Any  # a tensor or slices of one
    step: Callable[[], None]  # takes its step
    weight: StepWeight | None  # None where it is not masked


@dataclasses.dataclass
class PendingUpdates:
    """The updates of one application of gradients, variable by variable."""

    keys: frozenset[str]  # of the variables that will come
    # For each replica, by key: what has come so far.
    replicas: list[dict[str, PendingUpdate]] = dataclasses.field(
        default_factory=list
    )

    def add(self, key: str, update: PendingUpdate) -> list[PendingUpdate]:
        """Adds one; returns all of its replica's once complete, else none.

        A key that comes for the n-th time belongs to the n-th replica. One
        that was not announced stands alone.
        """
        if key not in self.keys:
            return [update]

        for replica in self.replicas:
            if key not in replica:
                break
        else:
            replica = {}
            self.replicas.append(replica)

        replica[key] = update
        if frozenset(replica) != self.keys:
            return []
        return list(replica.values())
