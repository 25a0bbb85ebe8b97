"""The files of a compression beside those of its trainings."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from tf_rigl.backend import atomic_files
from tf_rigl.experiments.compress import trainings
from tf_rigl.experiments.compress.settings import CompressSettings
from tf_rigl.experiments.compress.settings import Target
from tf_rigl.experiments.runs import run_folder
from tf_rigl.tickets.folder import RunFolder as PrunedFolder

_ARGUMENTS = "compression.json"
_NONE = "no_ticket.json"
# What may be added to a compression, so that only that is trained.
_MAY_GROW = ("ratios", "pruned_models", "retrain")


class CompressionFolder:
    """The folder of one compression.

    The trainings are runs in folders of their own. In the folder of a network
    that was cut are the masks of its channels, `masks.npz`, and what it costs
    and can do before it is trained again, `record.json`.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.start = path / "start.npz"  # first weights of the large network
        self.end = path / "end.npz"  # its trained weights
        # The picture of the distances of masks of early-bird tickets.
        self.distances = path / "distances.png"
        self._arguments = path / _ARGUMENTS

    def training(self, training: trainings.Training) -> run_folder.RunFolder:
        """Returns the folder of a training."""
        return run_folder.RunFolder(self.path / training.name)

    def is_done(self, training: str, exported: bool = False) -> bool:
        """Returns whether a training of a name has ended, or has no ticket."""
        run = run_folder.RunFolder(self.path / training)
        return run.is_complete(exported) or (run.path / _NONE).exists()

    def note_no_ticket(self, training: trainings.Training) -> None:
        """Notes that no early-bird ticket has emerged to train."""
        path = self.path / training.name
        path.mkdir(exist_ok=True)
        atomic_files.write_json(path / _NONE, {"ticket": None})

    def early_masks(self, target: Target) -> pathlib.Path:
        """Returns the file of the masks before each epoch."""
        return self.path / f"early_masks_{target.name}.npz"

    def early_values(self, target: Target) -> pathlib.Path:
        """Returns the file of the weights of the early-bird ticket."""
        return self.path / f"early_{target.name}.npz"

    def pruned(self, target: Target) -> PrunedFolder:
        """Returns the folder of a network that was cut."""
        name = trainings.folder_of(trainings.PRUNED, target)
        return PrunedFolder(str(self.path / name))

    def read_costs(self, target: Target) -> Mapping[str, Any] | None:
        """Returns the record of a network that was cut; None before that."""
        pruned = self.pruned(target)
        return pruned.read_record() if pruned.is_done else None

    def check_arguments(self, compress: CompressSettings) -> None:
        """Raises a ValueError if the compression has begun with others.

        There may be more targets and ways.
        """
        if not self._arguments.exists():
            return
        # What older folders do not name is as by default.
        stored = {
            **_comparable(CompressSettings()),
            **run_folder.read_object(self._arguments),
        }
        wanted = _comparable(compress)
        different = {
            name: (stored[name], value)
            for name, value in wanted.items()
            if stored[name] != value
        }
        if different:
            flags = ", ".join(
                f"--{name}={now!r} (it has {before!r})"
                for name, (before, now) in different.items()
            )
            raise ValueError(
                "A compression must be resumed with the settings that it began "
                f"with. Received: {flags} for output_dir={str(self.path)!r}. "
                "Pass its settings, or another folder."
            )

    def keep_arguments(self, compress: CompressSettings) -> None:
        """Writes the arguments, unless the folder has them already."""
        if not self._arguments.exists():
            atomic_files.write_json(self._arguments, _comparable(compress))


def _comparable(compress: CompressSettings) -> dict[str, Any]:
    """Returns the settings that may not change, as they come from JSON."""
    found: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(compress)))
    for name in _MAY_GROW:
        del found[name]
    return found
