"""Plain-text tables with aligned columns."""

from collections.abc import Sequence

GAP = "  "

Cells = tuple[str, ...]


def aligned(
    header: Cells, body: Sequence[Cells], total: Cells, text_columns: int
) -> list[str]:
    """Header, rows and totals in columns as wide as their widest cell.

    Args:
        header: a text for each column.
        body: rows of as many texts.
        total: the last row, below a rule.
        text_columns: how many of the first columns are text and so aligned
            to the left; the others are numbers.

    Returns:
        The lines of the table.
    """
    widths = [
        max(map(len, column))
        for column in zip(header, *body, total, strict=True)
    ]
    rule = "-" * (sum(widths) + len(GAP) * (len(widths) - 1))
    lines = [
        _line(cells, widths, text_columns) for cells in (header, *body, total)
    ]
    return [lines[0], rule, *lines[1:-1], rule, lines[-1]]


def _line(cells: Cells, widths: Sequence[int], text_columns: int) -> str:
    return GAP.join(
        cell.ljust(width) if index < text_columns else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
