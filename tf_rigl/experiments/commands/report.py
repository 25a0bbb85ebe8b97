"""Writes an HTML page about a training run: curves, masks, sizes, settings.

Takes the --output_dir of a training run, whether it has finished or not. The
page is self-contained: it needs no network and no other file.

Examples:
    tf-rigl report runs/cifar10
    tf-rigl report runs/cifar10 --output=cifar10.html
"""

from absl import flags

from tf_rigl.experiments import optional_packages
from tf_rigl.experiments import terminal

flags.disclaim_key_flags()


def main() -> None:
    """Parses the command line and writes the page."""
    flags.DEFINE_string(
        "output",
        "",
        "File to write; report.html in the run's folder by default.",
    )
    terminal.start(
        report, 1, "Name the folder of one run.", description=__doc__
    )


def report(folder: str) -> int:
    """Writes the page of a run and prints its path."""
    optional_packages.check_report()
    from tf_rigl.experiments.report import page
    from tf_rigl.experiments.runs.run_folder import RunFolder

    output = flags.FLAGS.output or RunFolder(folder).report
    page.write_report(folder, output)
    print(output)
    return 0
