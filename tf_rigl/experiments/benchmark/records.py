"""Results of a benchmark, and their files."""

import csv
import dataclasses
import io
import math
import platform
import statistics
import time
from collections.abc import Iterator
from importlib import metadata
from typing import Any

from tf_rigl.experiments.benchmark.model_paths import ModelPath
from tf_rigl.experiments.benchmark.settings import BenchmarkSettings
from tf_rigl.experiments.sweeps import processes

_PACKAGES = ("tensorflow", "keras", "tf_keras", "ai-edge-litert", "numpy")
# Below this share of the time of a call, its thread has waited.
_BUSY = 0.8


@dataclasses.dataclass(frozen=True)
class Opening:
    """What it took to open a model."""

    model: str  # its label
    threads: int
    runtime: str
    import_seconds: float
    runtime_bytes: int  # resident, of the process without the model
    load_seconds: float


@dataclasses.dataclass(frozen=True)
class Measurement:
    """Calls of a model on batches of one size."""

    model: str
    threads: int
    batch_size: int
    first_seconds: float  # of the first call, with what is traced or planned
    rounds: tuple[float, ...]  # the median of each, in seconds
    cpu_rounds: tuple[float, ...]  # CPU seconds of a call: the mean of each
    memory_bytes: int  # resident, which the model has added to its process
    process_bytes: int  # resident, of its whole process
    # The largest difference to the outputs of the first model that takes the
    # same inputs, as a share of the largest output; None if there is none.
    difference: float | None = None
    note: str = ""  # why outputs are not compared

    @property
    def median(self) -> float:
        """Seconds of a call: the median over the rounds."""
        return statistics.median(self.rounds)

    @property
    def cpu_median(self) -> float:
        """CPU seconds of a call, on all threads: the median over the rounds."""
        return statistics.median(self.cpu_rounds)

    @property
    def waited(self) -> bool:
        """Whether calls had to wait for a core, as on a busy machine."""
        return self.cpu_median < _BUSY * self.median

    @property
    def key(self) -> tuple[int, int]:
        """Threads and batch size, which compared models share."""
        return self.threads, self.batch_size


@dataclasses.dataclass(frozen=True)
class Failure:
    """A model that cannot be run, or not on batches of one size."""

    model: str
    threads: int
    batch_size: int | None  # None: not at all
    reason: str


@dataclasses.dataclass
class Results:
    """All that a benchmark has found so far."""

    models: list[ModelPath]
    settings: BenchmarkSettings
    openings: list[Opening] = dataclasses.field(default_factory=list)
    measurements: list[Measurement] = dataclasses.field(default_factory=list)
    failures: list[Failure] = dataclasses.field(default_factory=list)

    def groups(self) -> Iterator[tuple[tuple[int, int], list[Measurement]]]:
        """Yields threads and batch size with what was measured with them."""
        found: dict[tuple[int, int], list[Measurement]] = {}
        for one in self.measurements:
            found.setdefault(one.key, []).append(one)
        yield from found.items()

    def speedups(self) -> list[float]:
        """Returns, for each measurement, how many times as fast it is.

        It is compared with the first model measured with the same threads and
        batch size. Ratios are taken within rounds, as a machine that is slower
        for a while is so for all, and the median is returned.
        """
        first = {key: members[0] for key, members in self.groups()}
        return [speedup(one, first[one.key]) for one in self.measurements]

    def to_dict(self) -> dict[str, Any]:
        """Returns everything as plain values, for JSON."""
        return {
            "date": time.strftime("%Y-%m-%d"),
            "settings": dataclasses.asdict(self.settings),
            "environment": environment(),
            "models": [
                {
                    "model": one.label,
                    "path": str(one.path),
                    "format": one.kind,
                    "bytes": one.bytes,
                }
                for one in self.models
            ],
            "openings": [dataclasses.asdict(one) for one in self.openings],
            "measurements": [
                {
                    **dataclasses.asdict(one),
                    "difference": _finite(one.difference),
                    "seconds": one.median,
                    "cpu_seconds": one.cpu_median,
                    "speedup": ratio,
                }
                for one, ratio in zip(
                    self.measurements, self.speedups(), strict=True
                )
            ],
            "failures": [dataclasses.asdict(one) for one in self.failures],
        }

    def to_csv(self) -> str:
        """Returns a row for each measurement, with a header."""
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        models = {one.label: one for one in self.models}
        openings = {(one.model, one.threads): one for one in self.openings}
        for one, ratio in zip(self.measurements, self.speedups(), strict=True):
            opening = openings[one.model, one.threads]
            writer.writerow(
                [
                    one.model,
                    models[one.model].kind,
                    opening.runtime,
                    models[one.model].bytes,
                    one.threads,
                    one.batch_size,
                    opening.load_seconds,
                    one.first_seconds,
                    one.median,
                    min(one.rounds),
                    max(one.rounds),
                    one.cpu_median,
                    ratio,
                    one.memory_bytes,
                    one.process_bytes,
                    one.difference,
                ]
            )
        return file.getvalue()


_COLUMNS = (
    "model",
    "format",
    "runtime",
    "file_bytes",
    "threads",
    "batch_size",
    "load_seconds",
    "first_seconds",
    "seconds",
    "lowest_seconds",
    "highest_seconds",
    "cpu_seconds",
    "speedup",
    "memory_bytes",
    "process_bytes",
    "difference",
)


def threads_in_words(count: int) -> str:
    """Returns the number of threads with its noun."""
    return f"{count} thread" if count == 1 else f"{count} threads"


def speedup(one: Measurement, reference: Measurement) -> float:
    """Returns how many times as fast a model is as another one."""
    pairs = zip(reference.rounds, one.rounds, strict=True)
    return statistics.median(theirs / own for theirs, own in pairs)


def environment() -> dict[str, Any]:
    """Returns the versions and the machine for which the figures hold."""
    return {
        "python": platform.python_version(),
        **{name: _version(name) for name in _PACKAGES},
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": processes.usable_cores(),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str | None:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                name, _, value = line.partition(":")
                if name.strip() == "model name":
                    return value.strip()
    except OSError:
        pass
    return None


def _finite(value: float | None) -> float | str | None:
    """Returns a number that JSON has, "infinite" in place of others."""
    if value is None or math.isfinite(value):
        return value
    return "infinite"
