"""Early-bird tickets, which the training of the large network brings forth."""

import pathlib
from collections.abc import Iterable
from typing import Any

import numpy as np

import tf_rigl
from tf_rigl.backend.callback import ModelCallback
from tf_rigl.experiments.compress import tables
from tf_rigl.experiments.compress.files import CompressionFolder
from tf_rigl.experiments.compress.settings import Target


class KeepTicket(ModelCallback):
    """Writes the weights of an early-bird ticket, when it emerges.

    It acts after the callback that looks for the ticket.
    """

    # Weights are read between epochs.
    async_safe = False

    def __init__(self, ticket: tf_rigl.EarlyBird, path: pathlib.Path) -> None:
        super().__init__()
        self._ticket = ticket
        self._path = path

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Writes the weights if the epoch's ticket has not been written.

        A process that is ended after the last step of an epoch finds the
        ticket when it goes on.
        """
        del logs
        if not self._path.exists():
            self._keep_if_found(epoch)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Writes the weights if the ticket is that of the next epoch."""
        del logs
        self._keep_if_found(epoch + 1)

    def _keep_if_found(self, epoch: int) -> None:
        if self._ticket.epoch == epoch:
            tf_rigl.Snapshot.of(self.model).save(self._path)


def look_for(
    folder: CompressionFolder, target: Target, threshold: float
) -> tf_rigl.EarlyBird:
    """Returns the callback that looks for a ticket, or has found it."""
    if target.ratio is None:
        raise ValueError(
            "Early-bird tickets are of ratios. Received: target="
            f"{target.name!r}. Name a ratio."
        )
    return tf_rigl.EarlyBird(
        target.ratio,
        threshold=threshold,
        stop=False,
        path=folder.early_masks(target),
    )


def callbacks(
    folder: CompressionFolder, target: Target, threshold: float
) -> list[Any]:
    """Returns the callbacks of the large network for a ticket."""
    ticket = look_for(folder, target, threshold)
    return [ticket, KeepTicket(ticket, folder.early_values(target))]


def distances(
    folder: CompressionFolder, targets: Iterable[Target]
) -> dict[str, np.ndarray]:
    """Returns the distances of the masks of each two epochs so far.

    Returns:
        Float [epochs, epochs] of each ratio that was looked for, by a title.
    """
    return {
        # Distances are the same with any threshold.
        tables.target_text(target.name): look_for(folder, target, 0.0).distances
        for target in targets
        if folder.early_masks(target).exists()
    }


def find(
    folder: CompressionFolder, target: Target, threshold: float, epochs: int
) -> tf_rigl.EarlyBird | None:
    """Returns the ticket of a large network that was trained.

    Returns:
        The ticket; None if none has emerged before the last epoch.

    Raises:
        ValueError: if the large network was trained without looking for it.
    """
    if not folder.early_masks(target).exists():
        raise ValueError(
            "Early-bird tickets emerge while the large network is trained. "
            f"Received: retrain with 'early_bird' for {str(folder.path)!r}, "
            f"which was trained without looking for {target.name}. Pass "
            "another folder."
        )
    ticket = look_for(folder, target, threshold)
    if ticket.epoch is None or ticket.epoch >= epochs:
        return None
    return ticket
