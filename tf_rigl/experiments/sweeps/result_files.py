"""The files of a sweep's results: records, table, plots and page."""

import json
import pathlib
from collections.abc import Sequence

from tf_rigl.backend import atomic_files
from tf_rigl.experiments import optional_packages
from tf_rigl.experiments.sweeps import records
from tf_rigl.experiments.sweeps import tables


def write(
    folder: pathlib.Path,
    found: Sequence[records.Record],
    heading: tables.Heading,
) -> None:
    """Writes results, table and plots of the records, each file atomically."""
    # Imported here, since it needs matplotlib and training does not.
    from tf_rigl.experiments.sweeps import plots

    summary = records.summarize(found, heading.epochs)
    lines = [json.dumps(record) + "\n" for record in found]
    atomic_files.write_text(folder / "results.jsonl", "".join(lines))
    table = tables.markdown(summary, heading)
    atomic_files.write_text(folder / "table.md", table)
    for name, draw in (
        ("against_sparsity.png", plots.draw_against_sparsity),
        ("against_flops.png", plots.draw_against_flops),
    ):
        draw(folder / name, summary, heading.network)


def write_page(folder: pathlib.Path) -> pathlib.Path | None:
    """Writes the page of a sweep, if the packages that it needs are there.

    Returns:
        The path of the page; None if there is none.
    """
    if not optional_packages.has_report():
        return None
    # Imported here, since its packages are optional.
    from tf_rigl.experiments.sweeps import page

    return page.write_page(folder)
