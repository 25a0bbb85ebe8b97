"""The runs of a sweep from Python, and the folder of their results."""

import pathlib
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from rich import console as consoles

from tf_rigl.backend import atomic_files
from tf_rigl.experiments import terminal
from tf_rigl.experiments.formatting import is_accuracy
from tf_rigl.experiments.runs import run_folder
from tf_rigl.experiments.runs.run_folder import RunFolder
from tf_rigl.experiments.sweeps import own_runs
from tf_rigl.experiments.sweeps import request
from tf_rigl.experiments.sweeps import result_files
from tf_rigl.experiments.sweeps import sweep_result
from tf_rigl.experiments.sweeps import tables
from tf_rigl.experiments.sweeps.sweep_result import SweepResult

_ARGUMENTS = "sweep.json"  # the arguments of the sweep, in its folder


class OwnSweep:
    """Trains the missing runs of a sweep and writes the results so far.

    Args:
        training: what the runs share.
        runs: the runs in their order.
        folder: the folder of the results and the runs.
        measure: the measure of the table; None to choose one.
        command: the call that repeats the sweep.
        verbose: whether to show the progress.
    """

    def __init__(
        self,
        training: own_runs.Training,
        runs: Sequence[own_runs.OwnRun],
        folder: pathlib.Path,
        measure: str | None,
        command: str,
        verbose: bool,
    ) -> None:
        self._training = training
        self._runs = {run.name: run for run in runs}
        self._folder = folder
        self._measure = measure
        self._command = command
        self._console = consoles.Console(quiet=not verbose)
        self._records: dict[str, dict[str, Any]] = {}

    def run(self, kept: Mapping[str, Any]) -> SweepResult:
        """Trains the missing runs.

        `kept` are the arguments, as plain JSON values, that must be those with
        which the sweep of the folder began.

        Raises:
            ValueError: if the folder is not writable, in use or has a sweep
                with other arguments, or a method does not suit the model.
        """
        with (
            run_folder.locked(self._folder, "folder", "sweep"),
            own_runs.random_numbers(self._training.models.keras),
        ):
            self._check_arguments(kept)
            for name in self._runs:
                self._read(name)
            missing = [
                run
                for run in self._runs.values()
                if run.name not in self._records
            ]
            self._check_cases(missing)
            atomic_files.write_json(self._folder / _ARGUMENTS, kept)
            self._write_request(kept)
            self._train(missing)

            found = self._in_order()
            if not missing:
                self._write(found)  # for there may be another measure
            result_files.write_page(self._folder)
            return sweep_result.make_result(
                found, self._heading(found), self._folder
            )

    def _train(self, missing: Sequence[own_runs.OwnRun]) -> None:
        total = self._training.plan.total
        before = total * len(self._records)
        display = terminal.Display(
            total * len(self._runs), before, self._console
        )
        with display:
            for run in missing:

                def show(steps: int, run: own_runs.OwnRun = run) -> None:
                    done = total * len(self._records) + steps
                    display.show(done, self._runs_ended(), run.name)

                folder = self._run_folder(run.name)
                own_runs.train(run, self._training, folder, show)
                self._read(run.name)
                self._write(self._in_order())

                text = tables.headline_text(self._records[run.name])
                display.show(total * len(self._records), self._runs_ended(), "")
                display.line(f"{run.name}  {text}  {self._runs_ended()}")

    def _check_arguments(self, kept: Mapping[str, Any]) -> None:
        """Raises a ValueError if the folder has another sweep."""
        file = self._folder / _ARGUMENTS
        if not file.exists():
            if any(self._folder.glob("runs/*/configuration.json")):
                raise ValueError(
                    "`folder` must not have a sweep of `tf-rigl sweep`. "
                    f"Received: folder={str(self._folder)!r}. Pass another "
                    "folder."
                )
            return

        before = run_folder.read_object(file)
        different = [
            f"{name}={kept.get(name)!r} (it has {before.get(name)!r})"
            for name in {**before, **kept}
            if before.get(name) != kept.get(name)
        ]
        if different:
            raise ValueError(
                "A sweep must go on with the arguments that it began with. "
                f"Received: {', '.join(different)} for "
                f"folder={str(self._folder)!r}. Pass its arguments, or another "
                "folder."
            )

    def _check_cases(self, runs: Sequence[own_runs.OwnRun]) -> None:
        """Raises an error before any training if a model cannot be made."""
        first = {(run.method.name, run.sparsity): run for run in reversed(runs)}
        for run in reversed(first.values()):
            self._training.prepare(run)

    def _run_folder(self, name: str) -> RunFolder:
        return RunFolder(self._folder / request.RUNS / name)

    def _read(self, name: str) -> None:
        folder = self._run_folder(name)
        if not folder.is_complete(self._training.save_models):
            return
        record = folder.read_results()
        measures = record["measures"]
        measure = self._measure or _choose(measures)
        if measure not in measures:
            raise ValueError(
                "`measure` must be one of those that the model is evaluated "
                f"by: {', '.join(measures)}. Received: measure={measure!r}."
            )
        self._records[name] = {**record, "headline": measure}

    def _runs_ended(self) -> str:
        return f"{len(self._records)}/{len(self._runs)} runs"

    def _in_order(self) -> list[dict[str, Any]]:
        known = self._records
        return [known[name] for name in self._runs if name in known]

    def _write(self, found: Sequence[dict[str, Any]]) -> None:
        result_files.write(self._folder, found, self._heading(found))

    def _write_request(self, kept: Mapping[str, Any]) -> None:
        heading = self._heading([])
        asked = request.SweepRequest(
            heading.command,
            heading.network,
            tuple(self._runs),
            heading.epochs,
            dict(kept),
        )
        request.write(self._folder, asked)

    def _heading(self, found: Sequence[dict[str, Any]]) -> tables.Heading:
        return tables.make_heading(
            self._command,
            self._training.models.name,
            self._training.plan.epochs,
            len({run.seed for run in self._runs.values()}),
            len(self._runs),
            found,
        )


def _choose(measures: Mapping[str, float]) -> str:
    """Chooses the measure of the table: the first accuracy, or the loss."""
    accuracies = [name for name in measures if is_accuracy(name)]
    return accuracies[0] if accuracies else "loss"
