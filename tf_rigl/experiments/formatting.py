"""Formatting of numbers and texts for tables and messages."""

import re
from collections.abc import Iterable
from collections.abc import Sequence

from tf_rigl.core.cells import si_number as si_number

# An absolute path, within quotes, where it may have spaces, or elsewhere. A
# slash after a word is part of a weight's path, a fraction or an address.
_PATH = re.compile(
    r"""(?P<quote>["'])/(?:[^"'/\n]*/)*(?P<quoted>[^"'/\n]+)/?(?P=quote)"""
    r"""|(?<![\w/.])/(?:[^\s"'/:;,]+/)*(?P<plain>[^\s"'/:;,]+)/?"""
)


def without_paths(text: str) -> str:
    """Replaces absolute paths in a text by their last names."""

    def last_name(found: re.Match[str]) -> str:
        quote, name = found["quote"] or "", found["quoted"] or found["plain"]
        return f"{quote}…/{name}{quote}"

    return _PATH.sub(last_name, text)


def is_accuracy(name: str) -> bool:
    """Returns whether the measure of a name is an accuracy, in [0, 1]."""
    return name.endswith("accuracy")


def higher_is_better(name: str) -> bool:
    """Returns whether the best value of a measure is the highest one.

    As for callbacks of Keras in their mode "auto", these are accuracies and
    areas under a curve.
    """
    return name.endswith(("acc", "accuracy", "auc"))


def write_measure(name: str, value: float) -> str:
    """Formats a measure, an accuracy as a percentage."""
    return f"{value:.2%}" if is_accuracy(name) else f"{value:.4f}"


def markdown(
    introduction: str,
    command: str,
    header: Sequence[str],
    body: Iterable[Iterable[str]],
    text_columns: int,
) -> str:
    """Returns a Markdown file of a table, with the command that repeats it.

    All columns after the first `text_columns` are aligned to the right.
    """
    rule = ["---"] * text_columns + ["---:"] * (len(header) - text_columns)
    table = [f"| {' | '.join(cells)} |" for cells in (header, rule, *body)]
    return "\n".join([introduction, "", f"`{command}`", "", *table]) + "\n"
