"""Pieces of HTML; all text that goes into them is escaped here."""

import base64
import html
from collections.abc import Iterable
from collections.abc import Sequence
from typing import NamedTuple


class Tile(NamedTuple):
    """A number to be seen first."""

    name: str
    value: str
    note: str = ""


def tiles(shown: Iterable[Tile]) -> str:
    """The tiles, as many to a row as fit."""
    body = "".join(
        '<div class="tile">'
        f'<div class="name">{html.escape(tile.name)}</div>'
        f'<div class="value">{html.escape(tile.value)}</div>'
        f'<div class="note">{html.escape(tile.note)}</div></div>\n'
        for tile in shown
    )
    return f'<div class="tiles">\n{body}</div>\n'


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    text_columns: int = 1,
    total: Sequence[str] = (),
) -> str:
    """A table.

    Args:
        header: A text for each column; none for a table without.
        rows: As many texts in each.
        text_columns: How many of the first columns are text; the others are
            numbers.
        total: The last row, below a line.
    """
    head = _row("th", header, text_columns) if header else ""
    body = "".join(_row("td", row, text_columns) for row in rows)
    foot = _row("td", total, text_columns) if total else ""
    parts = (("thead", head), ("tbody", body), ("tfoot", foot))
    inside = "".join(f"<{name}>\n{p}</{name}>\n" for name, p in parts if p)
    return f'<div class="wide"><table>\n{inside}</table></div>\n'


def section(identifier: str, title: str, text: str, *content: str) -> str:
    """A part of the page.

    Args:
        identifier: Of the part, for links.
        title: Of the part.
        text: What is to be seen in it, in a sentence.
        content: HTML.
    """
    return (
        f'<section id="{html.escape(identifier)}">\n'
        f"<h2>{html.escape(title)}</h2>\n{paragraph(text)}"
        f"{''.join(content)}</section>\n"
    )


def paragraph(text: str) -> str:
    """A paragraph of plain text."""
    return f"<p>{html.escape(text)}</p>\n"


def grid(kind: str, content: Iterable[str]) -> str:
    """Pieces of HTML side by side, as many as fit.

    Args:
        kind: Class of the style: "panels" or "pictures".
        content: The pieces.
    """
    return f'<div class="{html.escape(kind)}">\n{"".join(content)}</div>\n'


def figure(content: str, caption: str = "") -> str:
    """A figure of HTML, with a caption of plain text if it has one."""
    below = html.escape(caption)
    if below:
        below = f"<figcaption>{below}</figcaption>"
    return f"<figure>{content}{below}</figure>\n"


def picture(png: bytes, description: str) -> str:
    """A PNG file within the page."""
    data = base64.b64encode(png).decode("ascii")
    return (
        f'<img alt="{html.escape(description)}" '
        f'src="data:image/png;base64,{data}">'
    )


def _row(cell: str, texts: Sequence[str], text_columns: int) -> str:
    cells = "".join(
        f'<{cell} class="text">{html.escape(text)}</{cell}>'
        if place < text_columns
        else f"<{cell}>{html.escape(text)}</{cell}>"
        for place, text in enumerate(texts)
    )
    return f"<tr>{cells}</tr>\n"
