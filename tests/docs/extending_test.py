"""The examples of docs/extending.md, run in their order."""

import pathlib
import re

from tf_rigl.core import criteria
from tf_rigl.core.structures import configuration
from tf_rigl.masking import layer_rules

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "extending.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TOPICS = ("method", "structure", "distribution", "criterion", "layer")


def test_every_example_runs(monkeypatch):
    # What they register is forgotten after the test.
    for module, name in (
        (criteria, "_CRITERIA"),
        (configuration, "_CLASSES"),
        (layer_rules, "_registered"),
    ):
        monkeypatch.setattr(module, name, dict(getattr(module, name)))
    monkeypatch.setattr(criteria, "CRITERIA", criteria._CRITERIA)

    text = PAGE.read_text(encoding="utf-8")
    namespace = {"__name__": "extending"}
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start(1))
        # Errors name the line of the page.
        code = compile("\n" * line + match.group(1), str(PAGE), "exec")
        exec(code, namespace)


def test_every_topic_has_an_example():
    sections = PAGE.read_text(encoding="utf-8").split("\n## ")[1:]
    with_code = {
        section.partition("\n")[0].removeprefix("A ")
        for section in sections
        if BLOCK.search(section)
    }
    assert with_code >= set(TOPICS)
