"""Finds and runs the code blocks of a Markdown page.

A block may stand under a comment that a reader does not see:

    <!-- with: model train_data -->
    ```python
    ...
    ```

`with` names the stand-ins that the block uses, see `stand_ins.py`; `prints`
before a block says that it is what the block above prints; `slow` leaves it to
`-m slow`; `native` leaves it out without the native library; `two_devices` has
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

from tests.support import FLAVORS
from tests.support import ROOT
from tf_rigl import native

_FENCE = re.compile(r"^( *)```(\S*)$")
_COMMENT = re.compile(r"^<!--\s*(.*?)\s*-->$")
_KEYS = ("with", "prints", "slow", "keras", "native", "two_devices")


@dataclasses.dataclass(frozen=True)
class CodeBlock:
    page: pathlib.Path
    line: int  # of its first line of code, from 1
    language: str
    text: str
    options: Mapping[str, str]  # what the comment above it says
    prints: str | None = None  # what the page says that it prints

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
            if "prints" in options:
                blocks[-1] = dataclasses.replace(blocks[-1], prints=text)
            else:
                blocks.append(CodeBlock(page, start, language, text, options))
            start = None

        above = line

    if start is not None:
        raise ValueError(f"{page}:{start}: the block does not end.")
    return blocks


def python_blocks(page: pathlib.Path) -> list[CodeBlock]:
    return [block for block in find_blocks(page) if block.language == "python"]


def in_turn(page: pathlib.Path) -> list[Any]:
    """Returns the Python blocks of a page as test parameters, by Keras.

    Each is `(block, flavor)`. Blocks take turns with the two Kerases and the
    other half is slow.
    """
    parameters = []
    for index, block in enumerate(python_blocks(page)):
        turn = block.flavors[index % len(block.flavors)]
        for flavor in block.flavors:
            slow = "slow" in block.options or flavor != turn
            marks = [pytest.mark.slow] if slow else []
            if "native" in block.options and not native.available():
                marks.append(pytest.mark.skip("needs the native library"))
            name = f"{block.name}-{flavor}"
            parameters.append(pytest.param(block, flavor, id=name, marks=marks))
    return parameters


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
