"""Tables for all reports, as plain text and for terminals."""

from __future__ import annotations

import io
from collections.abc import Iterable
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

if TYPE_CHECKING:
    from rich.table import Table

Cells = tuple[str, ...]


class RowSum(property):
    """Report property that sums an attribute over the report's rows."""

    def __init__(self, attribute: str, doc: str) -> None:
        super().__init__(
            lambda report: sum(
                getattr(row, attribute) or 0 for row in report.rows
            ),
            doc=doc,
        )


# A rich box style with rules only below the header and above the totals.
_PLAIN = "    \n    \n -- \n    \n    \n -- \n    \n    \n"


def table(
    header: Sequence[str],
    body: Iterable[Sequence[str]],
    total: Sequence[str] = (),
    text_columns: int = 1,
    unfolded_columns: int = 1,
    **style: Any,
) -> Table:
    """Builds a rich table for printing.

    Args:
        header: one text per column.
        body: rows with one text per column, printed without markup.
        total: the last row, set off by a rule; none by default.
        text_columns: number of leading columns that hold text and are
            left-aligned; the other columns hold numbers.
        unfolded_columns: number of leading columns that are not wrapped in a
            narrow terminal.
        **style: further arguments of `rich.table.Table`.
    """
    # Imported here to keep it out of programs that only train.
    from rich import table as tables
    from rich import text

    made = tables.Table(
        title_justify="left",
        caption_justify="left",
        show_header=any(header),
        show_footer=bool(total),
        **style,
    )
    for index, name in enumerate(header):
        made.add_column(
            text.Text(name),
            text.Text(total[index] if total else ""),
            justify="left" if index < text_columns else "right",
            no_wrap=index < unfolded_columns,
        )
    for row in body:
        made.add_row(*map(text.Text, row))
    return made


def aligned(
    header: Cells, body: Sequence[Cells], total: Cells, text_columns: int
) -> list[str]:
    """Renders a table as lines of plain text, as wide as needed.

    The arguments are those of `table`.
    """
    from rich import box
    from rich import console as consoles

    made = table(
        header,
        body,
        total,
        text_columns,
        box=box.Box(_PLAIN, ascii=True),
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    width = sum(len(cell) + 2 for row in (header, *body, total) for cell in row)
    file = io.StringIO()
    consoles.Console(file=file, width=width, color_system=None).print(made)
    return file.getvalue().splitlines()
