"""Tables of all reports, for terminals and as plain text."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich import console as consoles
    from rich import table as tables
    from rich import text as texts

Cells = Sequence[str]

# The width of reports as plain text, whatever the terminal: they end up in
# files and messages, too.
WIDTH = 80
_GAP = 2  # columns of space between two columns of the table
_NARROWEST = 8  # to which text is folded before numbers suffer
# A rich box style with rules only below the header and above the totals.
_PLAIN = "    \n    \n -- \n    \n    \n -- \n    \n    \n"


class RowSum(property):
    """Report property that sums an attribute over the report's rows."""

    def __init__(self, attribute: str, doc: str) -> None:
        super().__init__(
            lambda report: sum(
                getattr(row, attribute) or 0 for row in report.rows
            ),
            doc=doc,
        )


class TextTable:
    """A table that takes no more columns than a rich console has.

    Where it is too wide, headers break between their words and the text of the
    leading columns is folded, the widest first: at spaces, after "/" and "_",
    and anywhere in a part that is longer than that. Numbers stay whole unless
    they alone are wider than the console. A title and a caption fill the width
    of the console, not that of the table.

    Args:
        header: one text per column.
        body: rows with one text per column, printed without markup.
        total: the last row, set off by a rule; none by default.
        text_columns: number of leading columns that hold text and are
            left-aligned; the other columns hold numbers.
        whole_columns: indices of columns of text that are not folded.
        title: the text above the table; none by default.
        caption: the text below the table; none by default.
    """

    def __init__(
        self,
        header: Cells,
        body: Sequence[Cells],
        total: Cells = (),
        text_columns: int = 1,
        whole_columns: Collection[int] = (),
        title: str = "",
        caption: str = "",
    ) -> None:
        self._header = header
        self._body = body
        self._total = total
        self._text_columns = text_columns
        self._whole_columns = whole_columns
        self._title = title
        self._caption = caption

    def __rich_console__(
        self, console: consoles.Console, options: consoles.ConsoleOptions
    ) -> Iterator[texts.Text | tables.Table]:
        # Imported here to keep it out of programs that only train.
        from rich import text as texts

        del console
        if self._title:
            yield texts.Text(f"{self._title}\n", style="bold")
        yield self._fitted(options.max_width)
        if self._caption:
            yield texts.Text(f"\n{self._caption}")

    def _fitted(self, width: int) -> tables.Table:
        from rich import box
        from rich import table as tables
        from rich import text as texts

        made = tables.Table(
            box=box.Box(_PLAIN, ascii=True),
            show_edge=False,
            pad_edge=False,
            padding=(0, _GAP - 1, 0, 0),
            show_header=any(self._header),
            show_footer=bool(self._total),
        )
        widths = self._widths(width)
        total = self._total or ("",) * len(self._header)
        for index, limit in enumerate(widths):
            made.add_column(
                texts.Text(_folded(self._header[index], limit)),
                texts.Text(_folded(total[index], limit)),
                justify="left" if index < self._text_columns else "right",
                overflow="fold",
            )
        for row in self._body:
            cells = zip(row, widths, strict=True)
            made.add_row(*(texts.Text(_folded(*cell)) for cell in cells))
        return made

    def _widths(self, available: int) -> list[int]:
        """Returns the width of each column, those of text narrowed to fit."""
        rows = [*self._body, *filter(None, [self._total])]
        columns = list(zip(self._header, *rows, strict=True))
        needed = [
            max([_longest_word(name), *map(len, cells)])
            for name, *cells in columns
        ]

        room = available - _GAP * (len(columns) - 1)
        text = set(range(self._text_columns)).difference(self._whole_columns)
        while sum(needed) > room:
            widest = max(text, key=needed.__getitem__)
            if needed[widest] <= _NARROWEST:
                break
            needed[widest] -= 1
        # Headers stay on one line if there is room for all of them.
        whole = [
            max(width, len(name))
            for width, name in zip(needed, self._header, strict=True)
        ]
        return whole if sum(whole) <= room else needed


def aligned(
    header: Cells,
    body: Sequence[Cells],
    total: Cells = (),
    text_columns: int = 1,
    whole_columns: Collection[int] = (),
) -> list[str]:
    """Renders a table as lines of plain text of at most `WIDTH` columns.

    The arguments are those of `TextTable`.
    """
    from rich import console as consoles

    file = io.StringIO()
    console = consoles.Console(
        file=file, width=WIDTH, color_system=None, force_jupyter=False
    )
    console.print(TextTable(header, body, total, text_columns, whole_columns))
    return file.getvalue().splitlines()


def paragraph(text: str, indent: str = "") -> str:
    """Breaks text between words into lines of at most `WIDTH` columns.

    A word that is longer stays whole, so that it can be copied.
    """
    return textwrap.fill(
        text,
        WIDTH,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


class _Folder(textwrap.TextWrapper):
    """Breaks text at spaces and after the separators of names."""

    wordsep_simple_re = re.compile(r"(\s+)|(?<=[/_])")


def _folded(text: str, width: int) -> str:
    if len(text) <= width:
        return text
    return _Folder(width, break_on_hyphens=False).fill(text)


def _longest_word(name: str) -> int:
    return max(map(len, name.split()), default=0)
