"""The Python blocks of README.md run, with either Keras."""

import pytest

from tests.docs import code_blocks

pytestmark = pytest.mark.source_tree

README = code_blocks.ROOT / "README.md"
LINES = 220


def test_it_is_short():
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LINES, "what is longer belongs to docs/"


@pytest.mark.parametrize(("block", "flavor"), code_blocks.python_blocks(README))
def test_block(block, flavor, run_block):
    run_block(block, flavor)
