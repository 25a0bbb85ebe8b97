"""The program of benchmarks, once its flags are parsed."""

import pathlib
from collections.abc import Sequence

from rich import console as consoles

from tf_rigl.backend import atomic_files
from tf_rigl.core import text_table
from tf_rigl.experiments import optional_packages
from tf_rigl.experiments import terminal
from tf_rigl.experiments.benchmark import model_paths
from tf_rigl.experiments.benchmark import records
from tf_rigl.experiments.benchmark import tables
from tf_rigl.experiments.benchmark.measurement import Benchmark
from tf_rigl.experiments.benchmark.settings import BenchmarkSettings
from tf_rigl.experiments.runs import run_folder


def run(
    paths: Sequence[str], asked: BenchmarkSettings, console: consoles.Console
) -> int:
    """Measures models and writes tables, files and a picture.

    Returns:
        The exit code: 0, or 1 if a model could not be run.

    Raises:
        ImportError: if matplotlib is missing.
        ValueError: if a path is no model, or the inputs cannot be read.
    """
    optional_packages.check_matplotlib()
    models = model_paths.find(paths)
    folder = pathlib.Path(asked.output_dir)
    with run_folder.locked(folder, "output_dir", "benchmark"):
        results = _measure(models, asked, folder, console)
        _write(folder, results)

    _print(results, console)
    write = terminal.printer(console)
    for line in (
        *tables.verdicts(results),
        *tables.notes(results),
        *tables.failures(results),
    ):
        write(text_table.paragraph(line))
    write(f"Files: {folder}")
    return terminal.FAILURE if results.failures else 0


def _measure(
    models: Sequence[model_paths.ModelPath],
    asked: BenchmarkSettings,
    folder: pathlib.Path,
    console: consoles.Console,
) -> records.Results:
    benchmark = Benchmark(models, asked, folder / "logs")
    display = terminal.Display(benchmark.total, 0, console)
    benchmark.show = display.show
    with display:
        benchmark.run()
    return benchmark.results


def _write(folder: pathlib.Path, results: records.Results) -> None:
    from tf_rigl.experiments import figures
    from tf_rigl.experiments.benchmark import plots

    atomic_files.write_json(folder / "results.json", results.to_dict())
    atomic_files.write_text(folder / "results.csv", results.to_csv())
    if results.measurements:
        figures.write_png(
            plots.draw(results), folder / "benchmark.png", plots.DOTS_PER_INCH
        )


def _print(results: records.Results, console: consoles.Console) -> None:
    if not results.measurements:
        return
    console.print(tables.memory_table(results))
    console.print()
    console.print(tables.latency_table(results))
    console.print()
