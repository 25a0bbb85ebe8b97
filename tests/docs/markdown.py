"""References of a Markdown page: links, anchors, spans of code, commands."""

import pathlib
import re
import shlex

from tests.docs import code_blocks

ROOT = code_blocks.ROOT
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

_FENCED = re.compile(r"^ *```.*?^ *```$", re.M | re.S)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_SPAN = re.compile(r"`([^`]+)`")
_HEADING = re.compile(r"^#+ +(.+)$", re.M)
_PROGRAM = re.compile(r"(?:\S*python\b|bin/\w+|tf-rigl\b)")


def prose(page: pathlib.Path) -> str:
    """Returns a page without its fenced blocks."""
    return _FENCED.sub("", page.read_text(encoding="utf-8"))


def find_links(page: pathlib.Path) -> list[str]:
    targets = _LINK.findall(prose(page))
    return [target for target in targets if "://" not in target]


def find_spans(page: pathlib.Path) -> list[str]:
    return [" ".join(span.split()) for span in _SPAN.findall(prose(page))]


def find_anchors(page: pathlib.Path) -> set[str]:
    return {slug(heading) for heading in _HEADING.findall(prose(page))}


def slug(heading: str) -> str:
    """Returns the anchor of a heading: lower case, dashes, no punctuation."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def find_commands(page: pathlib.Path) -> list[list[str]]:
    """Returns the commands of a page that run one of our programs, as words.

    They stand in blocks of shell or in spans of code.
    """
    lines = find_spans(page)
    for block in code_blocks.find_blocks(page):
        if block.language == "shell":
            lines += block.text.replace("\\\n", " ").splitlines()

    commands = []
    for line in lines:
        if not _PROGRAM.match(line):
            continue
        words = shlex.split(line, comments=True)
        if _is_ours(words):
            commands.append(words)
    return commands


def _is_ours(words: list[str]) -> bool:
    if words[0] in ("bin/quickstart", "bin/test"):
        return True
    arguments = words[1:]
    if words[0] == "tf-rigl":
        # Its commands parse flags; its own options are argparse's.
        return bool(arguments) and not arguments[0].startswith("-")
    if arguments[:1] == ["-m"]:
        return arguments[1].split(".")[0] == "tests"
    return bool(arguments) and arguments[0].startswith(("bin/", "benchmarks/"))
