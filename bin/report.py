#!/usr/bin/env python3
"""Writes an HTML page about a training run: curves, masks, sizes, settings.

Takes the --output_dir of a training program, whether the run has finished or
not. The page is self-contained: it needs no network and no other file.

Examples:
    python bin/report.py runs/cifar10
    python bin/report.py runs/cifar10 --output=cifar10.html
"""

from absl import flags

from tf_rigl.experiments import optional_packages
from tf_rigl.experiments import terminal
from tf_rigl.experiments.runs.run_folder import RunFolder

flags.DEFINE_string(
    "output", "", "File to write; report.html in the run's folder by default."
)


def report(folder: str) -> int:
    """Writes the page of a run and prints its path."""
    optional_packages.check_report()
    from tf_rigl.experiments.report import page

    output = flags.FLAGS.output or RunFolder(folder).report
    page.write_report(folder, output)
    print(output)
    return 0


if __name__ == "__main__":
    terminal.start(report, 1, "Name the folder of one run.")
