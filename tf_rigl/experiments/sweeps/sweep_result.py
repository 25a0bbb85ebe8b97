"""The result of a sweep from Python: a row for each method and sparsity."""

import dataclasses
import io
import pathlib
from collections.abc import Sequence
from typing import Any

from rich import console as consoles

from tf_rigl.experiments import methods
from tf_rigl.experiments.sweeps import records
from tf_rigl.experiments.sweeps import tables

_WIDTH = 80  # characters of a terminal


@dataclasses.dataclass(frozen=True)
class SweepRow:
    """Statistics of the runs of one method at one sparsity, over the seeds.

    Attributes:
        method: the name of the method, as in "rigl".
        label: the name in tables, as in "RigL".
        sparsity: the fraction of zeros, None for a method without one.
        runs: the number of runs.
        measure: the name of the measure of the next four.
        mean: the mean over the runs.
        deviation: the sample standard deviation, None for one run.
        lowest: the lowest value.
        highest: the highest value.
        nonzeros: non-zero weights, a mean over the runs.
        packed_bytes: bytes of 32 bits a non-zero and one bit a position.
        inference_flops: inference FLOPs as a share of the dense network's;
            None if only small-dense networks were trained.
        training_flops: training FLOPs, likewise.
    """

    method: str
    label: str
    sparsity: float | None
    runs: int
    measure: str
    mean: float
    deviation: float | None
    lowest: float
    highest: float
    nonzeros: float
    packed_bytes: float
    inference_flops: float | None
    training_flops: float | None


@dataclasses.dataclass(frozen=True)
class SweepResult:
    """The result of a sweep; `str()` makes its table, 80 columns wide.

    Attributes:
        rows: a row for each method and sparsity, by sparsity and then the
            best first.
        runs: the record of each run, of plain JSON values, as in the file
            `results.jsonl`.
        folder: the folder of the table, the plots and the runs.
    """

    rows: list[SweepRow]
    runs: list[dict[str, Any]] = dataclasses.field(repr=False)
    folder: pathlib.Path
    _table: str = dataclasses.field(repr=False)

    def as_dicts(self) -> list[dict[str, Any]]:
        """Returns the rows as dictionaries, which a data frame takes."""
        return [dataclasses.asdict(row) for row in self.rows]

    def __str__(self) -> str:
        return self._table


def make_result(
    found: Sequence[records.Record],
    heading: tables.Heading,
    folder: pathlib.Path,
) -> SweepResult:
    """Makes the result of the records of a sweep."""
    summary = records.summarize(found, heading.epochs)
    file = io.StringIO()
    console = consoles.Console(file=file, width=_WIDTH, color_system=None)
    console.print(tables.summary_table(summary, heading))
    lines = [line.rstrip() for line in file.getvalue().splitlines()]
    return SweepResult(
        [_row(summary.headline, row) for row in summary.rows],
        [dict(record) for record in found],
        folder,
        "\n".join(lines),
    )


def _row(measure: str, row: records.SummaryRow) -> SweepRow:
    return SweepRow(
        row.method,
        methods.find(row.method).label,
        row.sparsity,
        row.headline.runs,
        measure,
        row.headline.mean,
        row.headline.deviation,
        row.headline.lowest,
        row.headline.highest,
        row.nonzeros,
        row.packed_bytes,
        row.inference,
        row.training,
    )
