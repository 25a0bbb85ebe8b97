"""The Python blocks of README.md and docs/ run, in turn with either Keras.

`-m slow` runs the other half. Pages whose blocks build on each other have a
test of their own.
"""

import pytest

from tests.docs import code_blocks
from tests.docs import markdown

pytestmark = pytest.mark.source_tree

PAGES = [
    page
    for page in markdown.PAGES
    if page.name not in ("extending.md", "own_layers.md")
]
README_LINES = 220


def test_readme_is_short():
    readme = (code_blocks.ROOT / "README.md").read_text(encoding="utf-8")
    lines = len(readme.splitlines())
    assert lines <= README_LINES, "what is longer belongs to docs/"


# The stand-ins for data are shorter than the schedules of the pages.
@pytest.mark.filterwarnings("ignore:.*has not reached the target sparsity")
@pytest.mark.parametrize(
    ("block", "flavor"),
    [case for page in PAGES for case in code_blocks.in_turn(page)],
)
def test_block(block, flavor, run_block):
    run_block(block, flavor)
