"""The table of a set's results, for files and terminals."""

from collections.abc import Iterable
from collections.abc import Sequence
from typing import NamedTuple
from typing import Protocol
from typing import TypeVar

from tf_rigl.core import text_table
from tf_rigl.experiments import formatting

_RATE = "learning rate"
_TEXT_COLUMNS = 2

Cells = tuple[list[str], list[list[str]]]  # the header, and those of all rows


class Row(Protocol):
    """A row of a summary."""

    @property
    def learning_rate(self) -> float:
        """The learning rate of its trainings."""


AnyRow = TypeVar("AnyRow", bound=Row)


class Heading(NamedTuple):
    """The facts in the introduction of a table."""

    command: str  # the command that repeats all
    network: str
    steps: int  # of a training that begins at step 0
    seeds: int  # the number of requested seeds
    versions: str


def learning_rates(rows: Iterable[Row]) -> list[float]:
    """Lists the learning rates of the rows."""
    return list(dict.fromkeys(row.learning_rate for row in rows))


def by_rate(rows: Sequence[AnyRow]) -> dict[str, list[AnyRow]]:
    """Groups rows by learning rate, under titles.

    The title is empty if there is one rate only.
    """
    rates = learning_rates(rows)
    return {
        f"{_RATE} {rate:g}" if len(rates) > 1 else "": [
            row for row in rows if row.learning_rate == rate
        ]
        for rate in rates
    }


def with_rates(
    rows: Sequence[Row], header: Sequence[str], body: Sequence[Sequence[str]]
) -> Cells:
    """Puts a column of the learning rate first, if there are several."""
    if len(learning_rates(rows)) < 2:
        return list(header), list(map(list, body))
    rates = [f"{row.learning_rate:g}" for row in rows]
    return (
        [_RATE, *header],
        [[rate, *row] for rate, row in zip(rates, body, strict=True)],
    )


def markdown(table: Cells, introduction: str, heading: Heading) -> str:
    """Formats the table for a Markdown file."""
    header, body = table
    return formatting.markdown(
        f"{heading.network}, {introduction}",
        heading.command,
        header,
        body,
        _TEXT_COLUMNS,
    )


def terminal_table(
    table: Cells, introduction: str, heading: Heading
) -> text_table.TextTable:
    """Makes the table for a terminal of 80 columns."""
    header, body = table
    return text_table.TextTable(
        header,
        body,
        text_columns=_TEXT_COLUMNS,
        title=heading.network,
        caption=introduction,
    )
