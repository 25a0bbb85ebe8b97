"""The updates of one step, held until a replica has sent all of them."""

import dataclasses
from collections.abc import Callable
from typing import Any
from typing import NamedTuple

from tf_rigl.backend.flavor import Flavor
from tf_rigl.updating.mask_update import StepWeight


class PendingUpdate(NamedTuple):
    """The update of one variable, which waits for the other variables."""

    key: str  # identity of the variable, the same in each replica
    variable: Any  # the replica's variable
    gradient: Any  # a tensor or `tf.IndexedSlices`
    step: Callable[[Any], Any]  # updates the variable, given a gradient
    weight: StepWeight | None  # None if the variable has no mask to update
    # The variable, if it has the mask of another weight.
    follower: StepWeight | None = None


@dataclasses.dataclass
class PendingUpdates:
    """The updates of all variables to which gradients are applied at once."""

    keys: frozenset[str]  # of the variables that are to be updated
    # For each replica, its updates so far, by key.
    replicas: list[dict[str, PendingUpdate]] = dataclasses.field(
        default_factory=list
    )

    def add(self, update: PendingUpdate) -> list[PendingUpdate]:
        """Adds an update; returns all of its replica once they are complete.

        Otherwise the result is empty. The n-th update with the same key
        belongs to the n-th replica. An update whose key is not among `keys` is
        returned at once.
        """
        key = update.key
        if key not in self.keys:
            return [update]

        # Find the first replica without an update of this key, or add one.
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

    def check_together(self, flavor: Flavor, optimizer: Any) -> None:
        """Raises a ValueError if a method cannot see all weights at once."""
        if not self.keys:
            raise ValueError(
                "A method that looks at all weights at once needs an optimizer "
                "that applies all gradients together. Received: "
                f"{type(optimizer).__name__}, which calls `update_step` "
                f"by itself. Call `{flavor.apply_all_method}` from it, "
                "or choose a method with scope='weight'."
            )
