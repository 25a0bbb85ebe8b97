"""The program of sweeps: flags in, a table and plots out."""

import contextlib
import dataclasses
import sys
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import tensorflow as tf
from absl import app
from absl import flags
from rich import console as consoles

from tf_rigl.accounting import ModelProfile
from tf_rigl.experiments import flag_files
from tf_rigl.experiments import methods
from tf_rigl.experiments import optional_packages
from tf_rigl.experiments.formatting import write_measure
from tf_rigl.experiments.runs import flags as run_flags
from tf_rigl.experiments.runs import networks
from tf_rigl.experiments.runs import results as run_results
from tf_rigl.experiments.runs import setup
from tf_rigl.experiments.runs.setup import Run
from tf_rigl.experiments.sweeps import flags as sweep_flags
from tf_rigl.experiments.sweeps import grid
from tf_rigl.experiments.sweeps import processes
from tf_rigl.experiments.sweeps import records
from tf_rigl.experiments.sweeps import summary as summaries
from tf_rigl.experiments.sweeps import tables
from tf_rigl.experiments.sweeps.display import Display
from tf_rigl.experiments.sweeps.flags import Sweep
from tf_rigl.experiments.sweeps.grid import Point
from tf_rigl.experiments.sweeps.sweep_folder import SweepFolder
from tf_rigl.experiments.terminal import printer
from tf_rigl.experiments.terminal import quieten

flags.disclaim_key_flags()

_FAILURE = 1
_LINES_OF_LOG = 8

Case = tuple[str, float]  # method and sparsity


class Costs(NamedTuple):
    """What a method costs at a sparsity."""

    label: str
    profile: ModelProfile
    training_flops: float  # of the whole run


def start(output_dir: str) -> None:
    """Is the program, from its command line to its exit.

    Args:
        output_dir: The default folder.
    """
    sweep_flags.define(output_dir)
    app.run(main, flags_parser=flag_files.parse)


def main(arguments: list[str]) -> int:
    """Trains what is missing of the sweep that the flags describe.

    Args:
        arguments: What is left of the command line: the program's name.

    Returns:
        The exit code: 0; 1 if a setting is wrong, data is missing or a run
        has failed; 128 and the number of the signal that ended the sweep.
    """
    if len(arguments) > 1:
        raise app.UsageError(f"Unknown arguments: {' '.join(arguments[1:])}")
    quieten()
    # Accelerators are for the runs, in processes of their own.
    tf.config.set_visible_devices([], "GPU")
    return run_flagged(flags.FLAGS, consoles.Console())


def run_flagged(values: flags.FlagValues, console: consoles.Console) -> int:
    """Does what parsed flags ask for.

    Args:
        values: What `flags.define` has defined.
        console: Where to show progress and results.

    Returns:
        The exit code of `main`.
    """
    try:
        sweep = sweep_flags.sweep(values)
        points = grid.points(sweep.grid, sweep.base)
        run = prepare(points[0])
        if values.dry_run:
            describe(points, run, console)
            return 0
        optional_packages.check_matplotlib()
        folder = SweepFolder(sweep.output_dir, sweep.results_dir)
        folder.open()
    except (ValueError, ImportError, OSError) as error:
        return _fail(error)
    with contextlib.closing(folder):
        try:
            folder.check(points)
            training = Training(sweep, points, run, folder, console)
            reckon(training.missing, run)
            training.train()
            training.report()
        except processes.Interrupted as interruption:
            print(
                f"The sweep was {interruption}. The same command goes on.",
                file=sys.stderr,
            )
            return interruption.exit_code
        except (ValueError, ImportError, OSError) as error:
            return _fail(error)
        return report_failures(training.failed, folder, sys.stderr)


def prepare(point: Point) -> Run:
    """Finds data and counts the steps, which are the same for all runs.

    Where to train is left to their processes: here nothing is trained.
    """
    settings = point.settings
    if settings.strategy != "one_device":
        settings = dataclasses.replace(
            settings, strategy="one_device", devices=0, tpu=""
        )
    return setup.prepare(settings)


def reckon(points: Sequence[Point], run: Run) -> dict[Case, Costs]:
    """Builds the network of each method at each sparsity and counts.

    Args:
        points: The runs.
        run: One of the sweep, prepared.

    Raises:
        ValueError: If a network can't be as sparse, or not by a method.
    """
    costs: dict[Case, Costs] = {}
    profiles: dict[Any, ModelProfile] = {}
    for point in points:
        if point.case in costs:
            continue
        settings = point.settings
        kind = _kind_of_network(point)
        if kind not in profiles:
            run.keras.backend.clear_session()
            profiles[kind] = networks.final_profile(
                settings, run.keras, run.task
            )
        flops = run_results.training_flops(
            run._replace(settings=settings), profiles[kind]
        )
        costs[point.case] = Costs(settings.label, profiles[kind], flops)
    return costs


class Training:
    """Trains what is missing of a sweep and writes what there is.

    Args:
        sweep: The sweep.
        points: Its runs.
        run: One of them, prepared.
        folder: Of the sweep, open.
        console: Where to show progress and results.
    """

    def __init__(
        self,
        sweep: Sweep,
        points: Sequence[Point],
        run: Run,
        folder: SweepFolder,
        console: consoles.Console,
    ) -> None:
        self._sweep = sweep
        self._points = {point.name: point for point in points}
        self._run = run
        self._folder = folder
        self._console = console
        self._records: dict[str, dict[str, Any]] = {}
        self._running: dict[str, Point] = {}
        self._steps: dict[str, int] = {}
        self.failed: dict[str, int] = {}  # exit codes, by the runs' names
        for point in points:
            self._read(point)
            self._count(point)
        self.missing = [
            point for point in points if point.name not in self._records
        ]
        self._display = Display(
            len(points) * run.plan.total,
            sum(self._steps.values()),
            len(points),
            len(self._records),
            console,
        )

    def train(self) -> None:
        """Trains all missing runs.

        Raises:
            processes.Interrupted: If a signal came.
            OSError: If something can't be written.
        """
        self._write()
        with self._display:
            processes.run_all(
                map(self._job, self.missing),
                self._sweep.jobs,
                processes.environment_of_share(self._sweep.jobs),
                self,
            )

    def started(self, job: processes.Job) -> None:
        """Is told that a run has begun."""
        self._running[job.name] = self._points[job.name]
        self.waiting()

    def ended(self, job: processes.Job, code: int) -> None:
        """Is told that a run has ended, and writes what there is now."""
        point = self._running.pop(job.name)
        self._read(point)
        self._count(point)
        record = self._records.get(point.name)
        if code or record is None:
            self.failed[point.name] = code
            text = f"failed with exit code {code}"
        else:
            name = record["headline"]
            value = write_measure(name, record["measures"][name])
            text = f"{name.replace('_', ' ')} {value}"
            self._write()
        self._show()
        self._display.line(f"{point.name}  {text}")

    def waiting(self) -> None:
        """Is told that some time has gone by."""
        for point in self._running.values():
            self._count(point)
        self._show()

    def report(self) -> None:
        """Prints the table and says where the files are."""
        if self._records:
            summary = summaries.summarize(self._in_order())
            table = tables.rich_table(summary, self._heading())
            self._console.print(table)
        write = printer(self._console)
        write(f"Runs: {self._folder.path / 'runs'}")
        write(f"Table and plots: {self._folder.results}")

    def _job(self, point: Point) -> processes.Job:
        settings, options = point.settings, self._sweep.options
        command = [
            *(sys.executable, "-m", records.RUNNER),
            *run_flags.to_arguments(settings, options),
            f"--output_dir={self._folder.run(point).path}",
        ]
        return processes.Job(point.name, command, self._folder.log(point))

    def _read(self, point: Point) -> None:
        results = self._folder.ended(point, self._sweep.options)
        if results is not None:
            self._records[point.name] = records.make_record(point, results)

    def _count(self, point: Point) -> None:
        plan = self._run.plan
        epochs = self._folder.epochs(point)
        if point.name in self._records:
            epochs = plan.epochs
        self._steps[point.name] = min(epochs, plan.epochs) * plan.per_epoch

    def _show(self) -> None:
        self._display.show(sum(self._steps.values()), self._running)

    def _in_order(self) -> list[dict[str, Any]]:
        return [
            self._records[name]
            for name in self._points
            if name in self._records
        ]

    def _write(self) -> None:
        found = self._in_order()
        if found:
            summary = summaries.summarize(found)
            self._folder.write(found, summary, self._heading())

    def _heading(self) -> tables.Heading:
        found, base = self._in_order(), self._sweep.base
        versions = {
            f"{name} {version}"
            for record in found
            for name, version in record["versions"].items()
        }
        return tables.Heading(
            records.sweep_command(self._sweep.grid, base),
            f"{base.model} on {base.data}",
            base.total_epochs,
            self._sweep.grid.seeds,
            len(self._points),
            len(found),
            ", ".join(sorted(versions)),
        )


def describe(
    points: Sequence[Point], run: Run, console: consoles.Console
) -> None:
    """Prints the runs, their steps and what each method costs.

    Args:
        points: The runs.
        run: One of them, prepared.
        console: Where to print.
    """
    write = printer(console)
    plan = run.plan
    costs = reckon(points, run)
    for profile in _allocations(costs):
        write(str(profile))
    console.print(_costs_table(costs, run))
    for point in points:
        write(f"{point.name}  {plan.total:,} steps")
    write(
        f"{len(points)} runs; epochs: {plan.epochs}, of {plan.per_epoch:,} "
        f"steps; {len(points) * plan.total:,} steps in all"
    )


def report_failures(
    failed: Mapping[str, int], folder: SweepFolder, stream: Any
) -> int:
    """Prints which runs have failed, and the ends of their logs.

    Args:
        failed: Exit codes by the runs' names.
        folder: Of the sweep.
        stream: Where to print.

    Returns:
        The exit code of the sweep.
    """
    for name, code in failed.items():
        log = folder.path / "runs" / name / "log.txt"
        print(f"Error: {name} failed, exit code {code}: {log}", file=stream)
        for line in processes.last_lines(log, _LINES_OF_LOG):
            print(f"    {line}", file=stream)
    return _FAILURE if failed else 0


def _kind_of_network(point: Point) -> Any:
    """Equal for runs that end with equally many connections in each layer."""
    method = methods.METHODS[point.settings.method]
    structure = id(method.sparsify.get("structure"))
    return method.is_sparse, method.small, structure, point.settings.sparsity


def _allocations(costs: Mapping[Case, Costs]) -> list[ModelProfile]:
    """The profiles that differ, layer by layer."""
    different: dict[Any, ModelProfile] = {}
    for cost in costs.values():
        profile = cost.profile
        layers = tuple((row.path, row.nonzeros) for row in profile.rows)
        different.setdefault(layers, profile)
    return list(different.values())


def _costs_table(costs: Mapping[Case, Costs], run: Run) -> Any:
    dense = max(cost.profile.dense_flops for cost in costs.values())
    examples = run.plan.total * run.settings.batch_size
    return tables.costs_table(
        (
            cost.label,
            cost.profile.nonzeros,
            cost.profile.bytes,
            cost.profile.flops / dense,
            summaries.training_share(cost.training_flops, examples, dense),
        )
        for cost in costs.values()
    )


def _fail(error: Exception) -> int:
    print(f"Error: {error}", file=sys.stderr)
    return _FAILURE
