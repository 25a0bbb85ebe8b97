"""The files of a sweep's results: records, table and plots."""

import json
import pathlib
from collections.abc import Sequence

from tf_rigl.backend import atomic_files
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

    summary = records.summarize(found)
    lines = [json.dumps(record) + "\n" for record in found]
    atomic_files.write_text(folder / "results.jsonl", "".join(lines))
    table = tables.markdown(summary, heading)
    atomic_files.write_text(folder / "table.md", table)
    for name, draw in (
        ("against_sparsity.png", plots.draw_against_sparsity),
        ("against_flops.png", plots.draw_against_flops),
    ):
        draw(folder / name, summary, heading.network)
