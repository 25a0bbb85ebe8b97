"""One training of a search: what its loop body gets, and its record."""

import json
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tf_rigl.backend.callback import ModelCallback
from tf_rigl.checkpointing import optimizer_state
from tf_rigl.checkpointing.checkpoints import Checkpoints
from tf_rigl.checkpointing.snapshot_at import SnapshotAt
from tf_rigl.diagnostics import epoch_file
from tf_rigl.tickets.folder import RunFolder
from tf_rigl.updating.callback import UpdateMasks
from tf_rigl.updating.freeze_weights import FreezeWeights

_VALIDATION_LOSS = "val_loss"


class Level:
    """One training of a search, which the body of its loop runs.

    Attributes:
        number: number of the round, 0 for the dense network.
        name: name of its folder, such as `"level_03"`.
        callbacks: callbacks for `fit`: they hold the masks, resume from the
            newest checkpoint, save, and record the metrics.
    """

    def __init__(
        self,
        number: int,
        name: str,
        run: RunFolder,
        method: UpdateMasks,
        checkpoints: Checkpoints,
        snapshot: SnapshotAt | None = None,
    ) -> None:
        self.number = number
        self.name = name
        self._method = method
        self._metrics = EpochMetrics(run.metrics)
        self._checkpoints = checkpoints
        self._given: dict[str, float] | None = None
        self.callbacks = [
            method,
            *([] if snapshot is None else [snapshot]),
            # Before the checkpoint of an epoch, so that none lacks its line.
            self._metrics,
            checkpoints,
        ]

    def __repr__(self) -> str:
        return f"Level({self.name!r}, step={self.step})"

    @property
    def step(self) -> int:
        """Number of batches before the point from which it goes on.

        It counts from the beginning of level 0, so a rewound level begins with
        those of the step that it is rewound to. Skip as many in the data.
        """
        return self._checkpoints.step

    def ends_at(self, step: int) -> None:
        """Sets the number of batches after which training stops.

        It counts as `step` does. Without it, `steps_per_epoch * epochs` of the
        call of `fit` counts, which is not that of the level if one call trains
        the rest of an epoch and another the epochs after it.
        """
        self._checkpoints.total_steps = step

    def done(self, metrics: Mapping[str, float]) -> None:
        """Ends a level that a loop of the user's own has trained.

        Args:
            metrics: what to record, by name, such as `{"val_accuracy": 0.97}`.
        """
        self._given = {name: float(value) for name, value in metrics.items()}

    def results(self) -> dict[str, Any]:
        """Returns the metrics at the early stop and at the end.

        The early stop is the end of the first epoch of least validation loss
        (Frankle and Carbin, arXiv:1803.03635, section 2). It is looked up
        afterwards; training does not stop there.

        Raises:
            ValueError: if the level was not trained to its end, or frozen
                weights have changed.
        """
        if isinstance(self._method, FreezeWeights):
            self._method.check_frozen()
        if self._given is not None:
            return {"early_stop": None, "end": self._given}
        if not self._metrics.is_complete:
            raise ValueError(
                "The body of the loop must train the level to its end. "
                f"Received: {self.name!r}, which is not trained. Pass "
                "`callbacks=level.callbacks` to `fit`, or call "
                "`level.done(metrics)` after a loop of your own."
            )

        lines = self._metrics.lines()
        losses = [line.get(_VALIDATION_LOSS) for line in lines]
        known = [loss for loss in losses if loss is not None]
        return {
            "early_stop": lines[losses.index(min(known))] if known else None,
            "end": lines[-1] if lines else {},
        }


class EpochMetrics(ModelCallback):
    """Writes a JSON line for each epoch: `epoch`, optimizer `step`, logs."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._file = epoch_file.EpochFile.of_json("directory", path)
        self.is_complete = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Checks that the file can be written."""
        del logs
        self.is_complete = False
        self._file.check()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Drops the lines of this epoch and later ones, at first."""
        del logs
        self._file.begin_once(epoch)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Appends the line of the epoch, with null for infinity and NaN."""
        numbers = {name: float(value) for name, value in (logs or {}).items()}
        line = {
            "epoch": epoch,
            "step": optimizer_state.steps_taken(self.model.optimizer),
            **epoch_file.finite(numbers),
        }
        self._file.append([json.dumps(line)])

    def on_train_end(self, logs: Any = None) -> None:
        """Notes that training has come to its end."""
        del logs
        self.is_complete = True

    def lines(self) -> list[dict[str, Any]]:
        """Returns the lines written so far."""
        with tf.io.gfile.GFile(self._path, "r") as file:
            return [json.loads(line) for line in file.read().splitlines()]
