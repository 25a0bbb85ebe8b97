"""Writes an HTML page about a run, a sweep, ticket searches or compressions.

The page of a run has curves, masks, sizes and settings. It takes the
--output_dir of the run, whether it has finished or not. A dense run with the
same settings is shown beside a sparse one, if it is in the folder `dense` of
the run or in a folder beside it. The page of a sweep has its table and plots
and links to the pages of its runs; those of ticket searches and compressions
have theirs.

A page is self-contained, so it needs no network and no other file, and names no
path of the machine.

Examples:
    tf-rigl report runs/cifar10
    tf-rigl report runs/cifar10 --output=cifar10.html
    tf-rigl report runs/cifar10 --dense=runs/cifar10_dense
    tf-rigl report runs/sweep --runs
    tf-rigl report runs/tickets
    tf-rigl report runs/compress
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
        "File to write; report.html in the folder by default.",
    )
    flags.DEFINE_string(
        "dense",
        "",
        "Folder of the dense run to show beside a sparse one; by default, one "
        "with the same settings is looked for.",
    )
    flags.DEFINE_bool(
        "runs", False, "Also write the page of each run of a sweep."
    )
    terminal.start(
        report,
        1,
        "Name the folder of one run, sweep, or program of searches or "
        "compressions.",
        description=__doc__,
    )


def report(folder: str) -> int:
    """Writes the page of a folder and prints its path."""
    optional_packages.check_report()
    from tf_rigl.experiments.compress import page as compress_page
    from tf_rigl.experiments.compress import request as compress_request
    from tf_rigl.experiments.report import page
    from tf_rigl.experiments.runs.run_folder import RunFolder
    from tf_rigl.experiments.sweeps import page as sweep_page
    from tf_rigl.experiments.sweeps import request
    from tf_rigl.experiments.tickets import page as tickets_page
    from tf_rigl.experiments.tickets import request as tickets_request

    output, dense = flags.FLAGS.output, flags.FLAGS.dense
    what = "run"
    if request.is_sweep(folder):
        what = "sweep"
    elif tickets_request.FILE.is_in(folder):
        what = "ticket searches"
    elif compress_request.FILE.is_in(folder):
        what = "compressions"
    if dense and what != "run":
        raise ValueError(
            "`dense` is for the page of one run. Received: "
            f"dense={dense!r} for the {what} {folder!r}. Name one of its runs."
        )
    if flags.FLAGS.runs and what != "sweep":
        raise ValueError(
            "`runs` is for sweeps. Received: runs=True for "
            f"folder={folder!r}. Leave it out, or name the folder of a sweep."
        )

    if what == "ticket searches":
        print(tickets_page.write_page(folder, output or None))
        return 0
    if what == "compressions":
        print(compress_page.write_page(folder, output or None))
        return 0
    if what == "sweep":
        for run in sweep_page.run_folders(folder) if flags.FLAGS.runs else ():
            page.write_report(run.path, run.report)
        print(sweep_page.write_page(folder, output or None))
        return 0
    output = output or RunFolder(folder).report
    page.write_report(folder, output, dense or None)
    print(output)
    return 0
