import pytest

from tests import support
from tests.docs import markdown
from tf_rigl.experiments import commands
from tools import flags_page
from tools import marked

pytestmark = pytest.mark.source_tree

# In a process of its own, as other tests define flags of the same names.
RENDER = "from tools import flags_page as page; print(page.render())"
OTHER_GUIDE = """
from tools import flags_guide
flags_guide.TRAIN["The run"] = {"output_dir": "", "color": ""}
"""


@pytest.fixture(scope="module")
def rendered():
    return support.run_python("-c", RENDER).strip()


def test_page(rendered):
    page = flags_page.PAGE.read_text(encoding="utf-8")
    found = marked.find(page, flags_page.MARK)
    assert found == rendered, "run `python -m tools.flags_page`"
    anchors = markdown.find_anchors(flags_page.PAGE)
    assert {f"tf-rigl-{command}" for command in commands.COMMANDS} <= anchors


def test_rows(rendered):
    assert (
        "| `--drop_fraction` | `0.3` | Fraction of connections that the first "
        "update drops. In (0, 1]. | smaller if accuracy falls after updates |"
    ) in rendered
    assert "`--model=wrn_22_2`" in rendered  # a sweep's
    assert "by default they are those of the run" in rendered  # of `evaluate`
    assert "| `--json` | no | Print JSON in place of a table. |" in rendered


def test_the_guide_has_all_flags():
    done = support.start_python("-c", OTHER_GUIDE + RENDER)
    assert "ValueError: The guide must have each flag" in done.stderr
    assert "'checkpoint_every', 'color', 'compare_dense'" in done.stderr
