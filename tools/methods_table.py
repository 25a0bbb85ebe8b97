"""README's table of methods, made of the registry of methods.

`python -m tools.methods_table` writes it between the two comments of README
that mark its place.
"""

import pathlib

from tf_rigl.accounting.training_flops import formula
from tf_rigl.algorithms import registry
from tools import marked

README = pathlib.Path(__file__).resolve().parents[1] / "README.md"
MARK = "methods"
HEADER = (
    "method",
    "masks begin",
    "it keeps",
    "it grows",
    "training FLOPs an example",
)
# It trains no masked model, so that it has no row of its own.
SMALL_DENSE = (
    "`match_width(build, parameters=…)`",
    "",
    "small-dense: the widest dense network of the same size or FLOPs",
    "",
    "3 f_D of its own",
)


def render() -> str:
    """Returns the table, Markdown with a line a method."""
    rows = [HEADER, ("---",) * len(HEADER)]
    for row in registry.ROWS:
        usage = row.usage or f"`{row.class_name}()`"
        begin = row.begins
        if row.structure:
            begin += f", `{row.structure}()`"
        flops = formula(row.make())
        rows.append((usage, begin, row.keeps, row.grows, flops))
    rows.append(SMALL_DENSE)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def main() -> None:
    """Writes the table into README."""
    marked.replace(README, MARK, render())


if __name__ == "__main__":
    main()
