"""The Python blocks of the pages in docs/ run, in turn with either Keras.

`-m slow` runs the other half. `extending.md` has a test of its own.
"""

import pytest

from tests.docs import code_blocks

pytestmark = pytest.mark.source_tree

PAGES = [
    page
    for page in sorted((code_blocks.ROOT / "docs").glob("*.md"))
    if page.name != "extending.md"
]


@pytest.mark.parametrize(
    ("block", "flavor"),
    [
        case
        for page in PAGES
        for case in code_blocks.python_blocks(page, both=False)
    ],
)
def test_block(block, flavor, run_block):
    run_block(block, flavor)
