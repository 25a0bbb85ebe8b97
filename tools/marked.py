"""Tables in pages, between two comments that mark their place."""

import pathlib


def find(text: str, name: str) -> str:
    """Returns what stands between `<!-- name -->` and `<!-- /name -->`.

    Raises:
        ValueError: if one of the two comments is missing.
    """
    _, found, _ = _parts(text, name)
    return found.strip()


def replace(path: pathlib.Path, name: str, content: str) -> None:
    """Writes other content between the two comments of a page."""
    before, _, after = _parts(path.read_text(encoding="utf-8"), name)
    path.write_text(f"{before}\n\n{content}\n\n{after}", encoding="utf-8")


def _parts(text: str, name: str) -> tuple[str, str, str]:
    """Cuts a text behind the first comment and before the second."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, begins, rest = text.partition(begin)
    found, ends, after = rest.partition(end)
    if not begins or not ends:
        raise ValueError(
            f"A page must mark the table of {name} by {begin} and {end}. "
            "Received: a text without them."
        )
    return before + begin, found, end + after
