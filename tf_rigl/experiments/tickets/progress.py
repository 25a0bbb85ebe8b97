"""How far searches have come, read from their folders."""

import pathlib

from tf_rigl.experiments.runs.plan import RunPlan
from tf_rigl.experiments.tickets import search as searches
from tf_rigl.experiments.tickets.settings import SearchSettings
from tf_rigl.tickets import run_names
from tf_rigl.tickets.folder import RunFolder


class SearchProgress:
    """The steps that a search has taken, and the training that it is at.

    Args:
        folder: the folder of the search, which need not exist.
        search: what the search does.
        plan: the steps of a training that begins at step 0.
    """

    def __init__(
        self, folder: pathlib.Path, search: SearchSettings, plan: RunPlan
    ) -> None:
        self._plan = plan
        self._runs = {
            name: RunFolder(str(folder / name)) for name in trainings(search)
        }
        # Fine-tuning trains for as long as the dense network, others from the
        # step of rewinding on, and so do all controls.
        rewound = plan.total - search.rewind_step
        fine_tunes = search.retrain == "fine_tune"
        self._steps = {
            name: plan.total
            if name == run_names.level(0)
            or (fine_tunes and not run_names.is_control(name))
            else rewound
            for name in self._runs
        }
        self._done: set[str] = set()

    @property
    def total(self) -> int:
        """The steps of all trainings."""
        return sum(self._steps.values())

    @property
    def is_done(self) -> bool:
        """Whether all trainings have ended."""
        return len(self._done) == len(self._runs)

    def read(self) -> tuple[int, str]:
        """Returns the steps taken so far, and where the search is, in words.

        Steps are counted in whole epochs. Trainings follow one another, so
        the first that has not ended is the one that runs.
        """
        steps = 0
        for name, run in self._runs.items():
            if name not in self._done and run.is_done:
                self._done.add(name)
            if name in self._done:
                steps += self._steps[name]
                continue

            epochs = 0
            metrics = pathlib.Path(run.metrics)
            if metrics.exists():
                # Line feeds, as the last line may be half written.
                epochs = metrics.read_bytes().count(b"\n")
            taken = min(epochs * self._plan.per_epoch, self._steps[name])
            words = name.replace("_", " ")
            return steps + taken, f"{words}, {taken:,}/{self._steps[name]:,}"
        return steps, "done"


def trainings(search: SearchSettings) -> list[str]:
    """Lists the names of a search's trainings, in their order."""
    return [
        *map(run_names.level, range(search.rounds + 1)),
        *map(run_names.control, searches.controls(search)),
    ]
