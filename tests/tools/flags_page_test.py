"""The page of flags is that of the programs."""

import pytest

from tests.docs import markdown
from tf_rigl.experiments import commands
from tools import flags_guide
from tools import flags_page
from tools import marked

pytestmark = pytest.mark.source_tree


def test_page():
    page = flags_page.PAGE.read_text(encoding="utf-8")
    found = marked.find(page, flags_page.MARK)
    assert found == flags_page.render(), "run `python -m tools.flags_page`"
    anchors = markdown.find_anchors(flags_page.PAGE)
    assert {f"tf-rigl-{command}" for command in commands.COMMANDS} <= anchors


def test_rows():
    text = flags_page.render()
    assert (
        "| `--drop_fraction` | `0.3` | Fraction of connections that the first "
        "update drops. In (0, 1]. | smaller if accuracy falls after updates |"
    ) in text
    assert "`--model=wrn_22_2`" in text  # a sweep's
    assert "by default they are those of the run" in text  # of `evaluate`
    assert "| `--json` | no | Print JSON in place of a table. |" in text


def test_the_guide_has_all_flags(monkeypatch):
    groups = dict(flags_guide.TRAIN)
    groups["The run"] = {"output_dir": "", "colour": ""}
    monkeypatch.setattr(flags_guide, "TRAIN", groups)
    with pytest.raises(ValueError, match="'checkpoint_every', 'colour'"):
        flags_page.render()
