"""Finds and runs the code blocks of a Markdown page.

A block may stand under a comment that a reader does not see:

    <!-- with: model train_data -->
    ```python
    ...
    ```

`with` names the stand-ins that the block uses, see `stand_ins.py`;
`continues` alone runs the blocks before it first, back to one that does not
continue; `prints` before a block without a language says that it is what the
block above prints; `slow` leaves it to `-m slow`; `two_devices` has
`MirroredStrategy()` take two logical processors, one strategy for all blocks.
Several go into one comment, separated by semicolons.

A block is written for Keras 3. For tf_keras `import keras` becomes
`import tf_keras as keras`, which is what the pages tell a reader to write;
`keras: keras` says that a block is for that one only.
"""

import contextlib
import dataclasses
import io
import pathlib
import re
from collections.abc import Mapping
from typing import Any

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLAVORS = ("keras", "tf_keras")

_FENCE = re.compile(r"^( *)```(\S*)$")
_COMMENT = re.compile(r"^<!--\s*(.*?)\s*-->$")
_KEYS = ("with", "continues", "prints", "slow", "keras", "two_devices")


@dataclasses.dataclass(frozen=True)
class CodeBlock:
    """One fenced block of a page."""

    page: pathlib.Path
    line: int  # of its first line of code, from 1
    language: str
    text: str
    options: Mapping[str, str]  # what the comment above it says

    @property
    def name(self) -> str:
        """The page and the line, as an editor opens them."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def stand_ins(self) -> tuple[str, ...]:
        """The names that a test defines for this block."""
        return tuple(self.options.get("with", "").split())

    @property
    def flavors(self) -> tuple[str, ...]:
        """The Kerases for which it is written."""
        only = self.options.get("keras")
        return FLAVORS if only is None else (only,)


def find_blocks(page: pathlib.Path) -> list[CodeBlock]:
    """Returns the fenced blocks of a page, in order.

    Raises:
        ValueError: if a block does not end or a comment has an unknown key.
    """
    blocks: list[CodeBlock] = []
    lines = page.read_text(encoding="utf-8").splitlines()
    above = ""
    start = None

    for number, line in enumerate(lines, 1):
        fence = _FENCE.match(line)

        if start is None and fence:
            start, indent, language = number + 1, fence[1], fence[2]
            options = _read_options(above, f"{page.name}:{number}")
        elif start is not None and line == indent + "```":
            code = [
                text[len(indent) :] for text in lines[start - 1 : number - 1]
            ]
            text = "".join(f"{text}\n" for text in code)
            blocks.append(CodeBlock(page, start, language, text, options))
            start = None

        above = line

    if start is not None:
        raise ValueError(f"{page}:{start}: the block does not end.")
    return blocks


def python_blocks(page: pathlib.Path, both: bool = True) -> list[Any]:
    """Returns the Python blocks of a page as test parameters, by Keras.

    Each is `(block, flavor)`, where the block holds the code of those that it
    continues. Unless `both` is true, blocks take turns with the two Kerases
    and the other half is slow.
    """
    parameters = []
    for index, block in enumerate(join_continued(find_blocks(page))):
        turn = block.flavors[index % len(block.flavors)]
        for flavor in block.flavors:
            slow = "slow" in block.options or not (both or flavor == turn)
            marks = [pytest.mark.slow] if slow else []
            name = f"{block.name}-{flavor}"
            parameters.append(pytest.param(block, flavor, id=name, marks=marks))
    return parameters


def join_continued(blocks: list[CodeBlock]) -> list[CodeBlock]:
    """Returns the Python blocks, each with those that it continues.

    A block that another continues runs as a part of that one, so it is left
    out.

    Raises:
        ValueError: if a block continues none.
    """
    joined: list[CodeBlock] = []
    for block in blocks:
        if block.language != "python":
            continue
        if "continues" in block.options:
            if not joined:
                raise ValueError(f"{block.name} continues no block.")
            block = _join(joined.pop(), block)
        joined.append(block)
    return joined


def expected_output(block: CodeBlock) -> str | None:
    """Returns what the page says that a block prints, None if nothing."""
    end = block.line + block.text.count("\n")
    later = (b for b in find_blocks(block.page) if b.line > end)

    following = next(later, None)
    if following is None or "prints" not in following.options:
        return None
    return following.text


def run_block(
    block: CodeBlock, flavor: str, names: Mapping[str, Any]
) -> tuple[dict[str, Any], str]:
    """Runs a Python block in this process.

    Args:
        block: the block.
        flavor: `"keras"` or `"tf_keras"`.
        names: what the block finds defined.

    Returns:
        All names after it has run, and what it printed.
    """
    code = block.text
    if flavor == "tf_keras":
        code = re.sub(
            r"^import keras$", "import tf_keras as keras", code, flags=re.M
        )
    # Errors then name the page and the line in it.
    padding = "\n" * (block.line - 1)
    namespace = {"__name__": "__main__", **names}

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(padding + code, str(block.page), "exec"), namespace)
    return namespace, printed.getvalue()


def _read_options(line: str, place: str) -> dict[str, str]:
    comment = _COMMENT.match(line.strip())
    if comment is None:
        return {}

    options = {}
    for part in comment[1].split(";"):
        key, _, value = part.partition(":")
        options[key.strip()] = value.strip()

    unknown = set(options) - set(_KEYS)
    if unknown:
        raise ValueError(f"{place}: unknown keys {sorted(unknown)}.")
    return options


def _join(first: CodeBlock, second: CodeBlock) -> CodeBlock:
    """Puts the second below the first, at its own line of the page."""
    gap = second.line - first.line - first.text.count("\n")
    options = dict(first.options) | dict(second.options)
    options["with"] = " ".join(
        dict.fromkeys(first.stand_ins + second.stand_ins)
    )
    return dataclasses.replace(
        first, text=first.text + "\n" * gap + second.text, options=options
    )
