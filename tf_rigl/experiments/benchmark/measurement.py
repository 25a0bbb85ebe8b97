"""Measures models in turn, each in a process of its own."""

import contextlib
import dataclasses
import pathlib
import tempfile
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_rigl.experiments.benchmark import inputs
from tf_rigl.experiments.benchmark import records
from tf_rigl.experiments.benchmark.child import Child
from tf_rigl.experiments.benchmark.child import ChildError
from tf_rigl.experiments.benchmark.model_paths import ModelPath
from tf_rigl.experiments.benchmark.settings import BenchmarkSettings
from tf_rigl.experiments.sweeps import processes
from tf_rigl.export.litert import run

# Called with the number of steps so far, and what is measured, in words.
Show = Callable[[int, str, str], None]
_Arrays = dict[str, np.ndarray]


@dataclasses.dataclass
class _Member:
    """A model in its process, and what it has done with the present batch."""

    model: ModelPath
    child: Child
    specs: list[inputs.InputSpec]
    first: dict[str, Any] = dataclasses.field(default_factory=dict)
    difference: float | None = None
    note: str = ""
    rounds: list[dict[str, float]] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class _Reference:
    """The first model that ran on a batch, with which others are compared."""

    specs: list[inputs.InputSpec]
    arrays: list[np.ndarray]
    outputs: _Arrays

    def arrays_for(
        self, specs: list[inputs.InputSpec]
    ) -> list[np.ndarray] | None:
        """Returns its arrays in the order of another model's inputs, if any."""
        places = inputs.positions(specs, self.specs)
        if places is None:
            return None
        return [self.arrays[place] for place in places]


class Benchmark:
    """Measures models.

    Args:
        models: the files.
        settings: what they are called on, and how often.
        logs: folder for what their processes print.
        show: is told about each step.

    Attributes:
        results: what was found so far.
        show: as given.

    Raises:
        ValueError: if there is no file of inputs at `settings.input`.
    """

    def __init__(
        self,
        models: Sequence[ModelPath],
        settings: BenchmarkSettings,
        logs: pathlib.Path,
        show: Show = lambda done, label, detail: None,
    ) -> None:
        self.results = records.Results(list(models), settings)
        self._settings = settings
        self._data = inputs.read(settings.input) if settings.input else None
        self._logs = logs
        self.show = show
        self._done = 0

    @property
    def total(self) -> int:
        """Number of steps: openings, first calls and turns."""
        return (
            len(self._settings.threads)
            * len(self.results.models)
            * self._steps_of_a_model
        )

    @property
    def _steps_of_a_model(self) -> int:
        return 1 + len(self._settings.batch_sizes) * self._steps_of_a_batch

    @property
    def _steps_of_a_batch(self) -> int:
        return 1 + self._settings.rounds

    def run(self) -> None:
        """Measures everything; models that fail are left out from then on."""
        self._logs.mkdir(parents=True, exist_ok=True)
        for threads in self._settings.threads:
            with (
                contextlib.ExitStack() as stack,
                tempfile.TemporaryDirectory() as scratch,
            ):
                members = self._open(threads, self._start(threads, stack))
                for batch in self._settings.batch_sizes:
                    ready = self._prepare(
                        members, threads, batch, pathlib.Path(scratch)
                    )
                    self._take_turns(ready, members, threads, batch)

    def _start(self, threads: int, stack: contextlib.ExitStack) -> list[Child]:
        """Starts the processes, which import their runtimes side by side."""
        environment = processes.environment_of_share(1)
        environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        children = []
        for model in self.results.models:
            name = f"{model.label}.{threads}.log".replace("/", "_")
            one = Child(self._logs / name, environment)
            children.append(stack.enter_context(one))
            one.tell(
                "start", kind=model.kind, path=str(model.path), threads=threads
            )
        return children

    def _open(self, threads: int, children: list[Child]) -> list[_Member]:
        """Opens all models, one after another."""
        started = {}
        for model, one in zip(self.results.models, children, strict=True):
            self._tell(threads, "opening", model.label)
            try:
                started[model.label] = one.hear()
            except ChildError as error:
                self._fail(model, threads, None, error, self._steps_of_a_model)

        members = []
        for model, one in zip(self.results.models, children, strict=True):
            if model.label not in started:
                continue
            self._tell(threads, "opening", model.label)
            try:
                answer = one.ask(
                    "open",
                    kind=model.kind,
                    path=str(model.path),
                    threads=threads,
                    imports=self._settings.imports,
                )
            except ChildError as error:
                self._fail(model, threads, None, error, self._steps_of_a_model)
                continue
            self._done += 1
            specs = [
                inputs.InputSpec(name, tuple(shape), dtype)
                for name, shape, dtype in answer.pop("inputs")
            ]
            members.append(_Member(model, one, specs))
            self.results.openings.append(
                records.Opening(
                    model.label, threads, **started[model.label], **answer
                )
            )
        return members

    def _prepare(
        self,
        members: list[_Member],
        threads: int,
        batch: int,
        scratch: pathlib.Path,
    ) -> list[_Member]:
        """Calls each model for the first time on a batch of one size.

        Returns:
            The members that can be run on it.
        """
        reference: _Reference | None = None
        ready = []
        for member in list(members):
            self._tell(
                threads, f"batch {batch}", f"{member.model.label}, first call"
            )
            try:
                reference = self._first_call(member, batch, scratch, reference)
            except (ChildError, ValueError) as error:
                steps = self._steps_of_a_batch
                self._fail(member.model, threads, batch, error, steps)
                if _has_ended(error):
                    members.remove(member)
                continue
            self._done += 1
            ready.append(member)
        return ready

    def _first_call(
        self,
        member: _Member,
        batch: int,
        scratch: pathlib.Path,
        reference: _Reference | None,
    ) -> _Reference:
        """Calls a model, on the same arrays as the reference if it takes them.

        Returns:
            The reference, which is this model if there is none.
        """
        arrays = None
        if reference is not None:
            arrays = reference.arrays_for(member.specs)
        is_same = arrays is not None
        if arrays is None:
            arrays = self._arrays(member.specs, batch)

        given, made = scratch / "inputs.npz", scratch / "outputs.npz"
        np.savez(given, *arrays)
        answer = member.child.ask(
            "prepare", arrays=str(given), outputs=str(made)
        )
        with np.load(made) as file:
            stored = [file[name] for name in file.files]
        outputs = dict(zip(answer.pop("outputs"), stored, strict=True))
        member.first = answer

        member.rounds, member.difference, member.note = [], None, ""
        if reference is None:
            return _Reference(member.specs, arrays, outputs)
        if not is_same:
            member.note = "other inputs"
        else:
            member.difference = difference(reference.outputs, outputs)
            if member.difference is None:
                member.note = "other outputs"
        return reference

    def _arrays(
        self, specs: list[inputs.InputSpec], batch: int
    ) -> list[np.ndarray]:
        if self._data is not None:
            return inputs.choose(self._data, specs, batch)
        settings = self._settings
        return inputs.draw(
            specs, batch, settings.open_size, settings.input_seed
        )

    def _take_turns(
        self,
        ready: list[_Member],
        members: list[_Member],
        threads: int,
        batch: int,
    ) -> None:
        """Measures all models in each round, which another one begins."""
        order = list(ready)
        for number in range(1, self._settings.rounds + 1):
            for member in list(order):
                self._tell(
                    threads,
                    f"batch {batch}",
                    f"{member.model.label}, round {number}",
                )
                try:
                    answer = member.child.ask(
                        "time", seconds=self._settings.seconds
                    )
                except ChildError as error:
                    steps = self._settings.rounds - number + 1
                    self._fail(member.model, threads, batch, error, steps)
                    order.remove(member)
                    ready.remove(member)
                    if error.has_ended:
                        members.remove(member)
                    continue
                self._done += 1
                member.rounds.append(answer)
            order = [*order[1:], *order[:1]]

        for member in ready:
            self.results.measurements.append(
                records.Measurement(
                    member.model.label,
                    threads,
                    batch,
                    rounds=tuple(one["seconds"] for one in member.rounds),
                    cpu_rounds=tuple(
                        one["cpu_seconds"] for one in member.rounds
                    ),
                    difference=member.difference,
                    note=member.note,
                    **member.first,
                )
            )

    def _fail(
        self,
        model: ModelPath,
        threads: int,
        batch: int | None,
        error: Exception,
        steps: int,
    ) -> None:
        """Notes a failure, and the number of steps that are left out."""
        self.results.failures.append(
            records.Failure(model.label, threads, batch, str(error))
        )
        self._done += steps

    def _tell(self, threads: int, label: str, detail: str) -> None:
        what = f"{label}, {records.threads_in_words(threads)}"
        self.show(self._done, what, detail)


def difference(expected: _Arrays, found: _Arrays) -> float | None:
    """Returns the largest difference, as a share of the largest output.

    Outputs are the same by their names or, as formats name them differently,
    by their order; None: they have other shapes. It is infinite if an output
    is not finite.
    """
    if set(expected) != set(found):
        if len(expected) != len(found):
            return None
        found = dict(zip(expected, found.values(), strict=True))
    if any(expected[name].shape != found[name].shape for name in expected):
        return None
    return run.compare(expected, found).relative


def _has_ended(error: Exception) -> bool:
    return isinstance(error, ChildError) and error.has_ended
