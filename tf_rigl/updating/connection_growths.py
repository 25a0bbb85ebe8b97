"""What training by connections alone needs, checked and put in place."""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tf_rigl.algorithms import Algorithm
from tf_rigl.algorithms import Penalty
from tf_rigl.backend.flavor import Flavor
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.updating.connections_update import connections_of
from tf_rigl.updating.growth import Growth


class ConnectionGrowths:
    """The growths of the weights that one optimizer trains."""

    def __init__(self) -> None:
        self._growths: dict[int, Growth] = {}
        self._num_candidates: Callable[[int], int] = lambda _: 0

    def begin(
        self,
        flavor: Flavor,
        optimizer: Any,
        scales_loss: bool,
        algorithm: Algorithm,
        penalties: Sequence[Penalty],
        records: Sequence[MaskedWeight],
    ) -> None:
        """Raises a ValueError if weights' connections alone cannot be trained.

        The number of batches to an optimizer's step, how it scales gradients
        and what the method needs decide it.
        """
        paths = [one.path for one in records if one.storage.is_compressed]
        reason = reason_against(
            flavor, optimizer, scales_loss, algorithm, penalties
        )
        if paths and reason is not None:
            raise ValueError(refusal(paths, reason))
        self._num_candidates = algorithm.num_candidates

    def put(
        self, records: Sequence[MaskedWeight], is_due: Callable[[], tf.Tensor]
    ) -> None:
        """Makes layers look for candidates in their backward passes."""
        for record in records:
            if not record.storage.is_compressed:
                continue
            connections = connections_of(record)
            number = self._num_candidates(connections.size)
            if number:
                key = id(connections)
                if key not in self._growths:
                    self._growths[key] = Growth(connections, number, is_due)
                self._growths[key].put()

    def remove(self) -> None:
        """Undoes `put`."""
        for growth in self._growths.values():
            growth.remove()

    def settled(
        self, record: MaskedWeight, gradient: tf.Tensor
    ) -> Growth | None:
        """Returns the growth of a weight, None if it has none.

        Args:
            record: the weight.
            gradient: the gradient of its values in this step.

        Raises:
            ValueError: if parts of the gradient cannot be taken together.
        """
        growth = self._growths.get(id(connections_of(record)))
        if growth is not None:
            growth.settle(gradient)
        return growth


def refusal(paths: Sequence[str], reason: str) -> str:
    """Returns the message about weights that were to be compressed."""
    return (
        "Weights stored by their connections must be enough for a training. "
        f"Received: storage='compressed' for {list(paths)}, but {reason}. Call "
        "`tf_rigl.store_masked(model)`, or sparsify it with storage='masked'."
    )


def reason_against(
    flavor: Flavor,
    optimizer: Any,
    scales_loss: bool,
    algorithm: Algorithm,
    penalties: Sequence[Penalty],
) -> str | None:
    """Returns why connections alone cannot be trained, None if they can."""
    method = type(algorithm).__name__
    if algorithm.requirements.needs_dense:
        return (
            f"{method} with these options needs values or gradients of all "
            "positions"
        )
    if penalties:
        return "penalties need values of all positions"
    if type(optimizer).__name__ == "Muon":
        return "Muon orthogonalizes the update of the dense weight"

    if not algorithm.num_candidates(1):
        return None
    batches = flavor.accumulation_steps(optimizer)
    if batches > 1:
        return (
            f"{method} needs the gradient of all batches of a step together, "
            f"and the optimizer accumulates those of {batches}"
        )
    clips = getattr(optimizer, "clipnorm", None)
    if clips or getattr(optimizer, "global_clipnorm", None) or scales_loss:
        return (
            f"{method} compares gradients of inactive positions with those of "
            "active ones, which the optimizer clips, or scales with the loss"
        )
    return None
