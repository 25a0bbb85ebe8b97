"""Writes one HTML page of a training run: curves, masks, sizes, settings.

What: the folder that a training program had as --output_dir, of a run that
has ended or that is still going on. The page needs no network and no other
file.

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
    """Writes the page of a run and prints where."""
    optional_packages.check_report()
    from tf_rigl.experiments.report import page
    from tf_rigl.experiments.runs.run_folder import RunFolder

    output = flags.FLAGS.output or RunFolder(folder).report
    page.write_report(folder, output)
    print(output)
    return 0
