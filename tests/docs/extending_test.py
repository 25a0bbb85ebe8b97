import pytest

from tests.docs import code_blocks
from tf_rigl.core import criteria
from tf_rigl.core.structures import configuration
from tf_rigl.masking import layer_rules
from tf_rigl.surgery import channel_rules

pytestmark = pytest.mark.source_tree

PAGE = code_blocks.ROOT / "docs" / "extending.md"
LAYERS = code_blocks.ROOT / "docs" / "own_layers.md"
TOPICS = ("method", "structure", "distribution", "criterion")


@pytest.mark.parametrize("page", [PAGE, LAYERS], ids=lambda page: page.stem)
def test_every_example_runs(page, monkeypatch):
    # What they register is forgotten after the test.
    for module, name in (
        (criteria, "_CRITERIA"),
        (configuration, "_CLASSES"),
        (layer_rules, "_registered"),
        (channel_rules, "_registered"),
    ):
        monkeypatch.setattr(module, name, dict(getattr(module, name)))
    monkeypatch.setattr(criteria, "CRITERIA", criteria._CRITERIA)

    names = {}
    for block in code_blocks.python_blocks(page):
        names, _ = code_blocks.run_block(block, "keras", names)


def test_every_topic_has_an_example():
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    blocks = code_blocks.python_blocks(PAGE)
    above = ["\n".join(lines[: block.line]) for block in blocks]
    sections = {text.rpartition("\n## ")[2].split("\n")[0] for text in above}
    assert {f"A {topic}" for topic in TOPICS} <= sections
