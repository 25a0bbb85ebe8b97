"""How far compressions have come, read from their folders."""

import pathlib

from tf_rigl.experiments.compress import trainings
from tf_rigl.experiments.compress.files import CompressionFolder
from tf_rigl.experiments.compress.settings import Asked
from tf_rigl.experiments.runs.plan import RunPlan


class CompressionProgress:
    """The steps that a compression has taken, and the training that it is at.

    How long scratch_b trains is known only when channels have been removed.
    Until then it is estimated, with FLOPs that shrink as the square of the
    channels.

    Args:
        folder: the folder of the compression, which need not exist.
        asked: what the compression does.
        plan: the steps of the large network.
    """

    def __init__(
        self, folder: pathlib.Path, asked: Asked, plan: RunPlan
    ) -> None:
        self._asked = asked
        self._plan = plan
        self._folder = CompressionFolder(folder)
        self._epochs = {
            training: self._epochs_of(training)
            for training in trainings.trainings(asked)
        }
        self._done: set[trainings.Training] = set()

    @property
    def total(self) -> int:
        """The steps of all trainings, as far as known."""
        return sum(self._epochs.values()) * self._plan.per_epoch

    @property
    def is_done(self) -> bool:
        """Whether all trainings have ended."""
        return len(self._done) == len(self._epochs)

    def read(self) -> tuple[int, str]:
        """Returns the steps taken so far, and where it is, in words.

        Steps are counted in whole epochs. Trainings follow one another, so
        the first that has not ended is the one that runs.
        """
        epochs = 0
        for training, own in self._epochs.items():
            run = self._folder.training(training)
            exported = self._asked.options.export
            if training not in self._done and self._folder.is_done(
                training.name, exported
            ):
                self._done.add(training)
            if training in self._done:
                epochs += own
                continue

            taken = 0
            if run.metrics.exists():
                # Line feeds, as the last line may be half written.
                taken = min(run.metrics.read_bytes().count(b"\n"), own)
            words = f"{training.name.replace('_', ' ')}, epoch {taken}/{own}"
            return (epochs + taken) * self._plan.per_epoch, words
        return epochs * self._plan.per_epoch, "done"

    def _epochs_of(self, training: trainings.Training) -> int:
        asked, target = self._asked, training.target
        scratch_b = asked.base.total_epochs
        if target is not None:
            record = self._folder.read_costs(target)
            if record is not None:
                scratch_b = record["scratch_b"]
            else:
                left = 1 - (target.ratio or 0)
                scratch_b = int(scratch_b / left**2)
        return trainings.epochs_of(
            training,
            asked.compress,
            asked.base,
            trainings.Lengths(scratch_b=scratch_b),
        )
