"""README.md and docs/ refer to what exists."""

import importlib
import json
import pathlib
import re

import pytest

from tests import architecture_test
from tests import support
from tests.docs import code_blocks
from tests.docs import markdown
from tests.docs import stand_ins

pytestmark = pytest.mark.source_tree

ROOT = markdown.ROOT
FOLDERS = ("benchmarks", "bin", "configs", "docs", "tests", "tf_rigl", "tools")

# Not what a flag names: a command may make that, or find it by its name.
_PATH = re.compile(rf"(?<![\w./=-])(?:{'|'.join(FOLDERS)})/[\w./*-]*\w")
_MODULE = re.compile(r"(?<![\w./])tf_rigl(?:\.[A-Za-z_]\w*)+")
_TEST = re.compile(r"(tests/[\w./-]+\.py)::(\w+)")
_ROOM = re.compile(r"^\| (\d+) \| `(\w+)` \|", re.M)

each_page = pytest.mark.parametrize(
    "page", markdown.PAGES, ids=lambda page: page.relative_to(ROOT).as_posix()
)


def written(page):
    """Spans of code and fenced blocks: where a page names paths and modules."""
    blocks = [block.text for block in code_blocks.find_blocks(page)]
    return "\n".join([*markdown.find_spans(page), *blocks])


@each_page
def test_links(page):
    for target in markdown.find_links(page):
        path, _, anchor = target.partition("#")
        linked = page.parent / path if path else page
        assert linked.exists(), target
        if anchor:
            assert anchor in markdown.find_anchors(linked), target


@each_page
def test_paths(page):
    missing = [
        path
        for path in set(_PATH.findall(written(page)))
        if not list(ROOT.glob(path))
    ]
    assert not missing


@each_page
def test_modules(page):
    missing = [
        name for name in set(_MODULE.findall(written(page))) if not found(name)
    ]
    assert not missing


def found(name):
    """Returns whether a dotted name is a module, or something in one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            value = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        try:
            for part in parts[length:]:
                value = getattr(value, part)
        except AttributeError:
            return False
        return True
    return False


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tf_rigl.RigL", True),
        ("tf_rigl.core.drop_and_grow.drop_and_grow", True),
        ("tf_rigl.RigLL", False),
        ("tf_rigl.no_such_module", False),
    ],
)
def test_found(name, expected):
    assert found(name) == expected


@each_page
def test_tests(page):
    for path, function in _TEST.findall(written(page)):
        text = (ROOT / path).read_text(encoding="utf-8")
        assert f"\ndef {function}(" in text, f"{path}::{function}"


@each_page
def test_stand_ins_are_named_where_they_are_used(page):
    for block in code_blocks.python_blocks(page):
        for name in block.stand_ins:
            assert name in stand_ins.STAND_INS, f"{block.name}: {name}"
            used = re.search(rf"\b{name}\b", block.text)
            assert used, f"{block.name} does not use {name}"


def parse(commands):
    program = pathlib.Path(__file__).with_name("parse_commands.py")
    return json.loads(support.run_python(program, json.dumps(commands)))


def test_commands():
    found_in = {
        tuple(words): page.name
        for page in markdown.PAGES
        for words in markdown.find_commands(page)
    }
    # Each must be seen to be wrong, or the right ones mean nothing.
    mistakes = [
        "python bin/sweep.py --no_such_flag=1",
        "python bin/train_mlp.py --method=no_such_method",
        "tf-rigl report --no_such_flag=1",
        "python benchmarks/no_such_program.py",
        "python -m tests.resume.harness --kills=many",
        "bin/test tests/no_such_folder",
        "bin/test tests -m no_such_mark",
    ]
    split = [mistake.split() for mistake in mistakes]

    errors = parse([*map(list, found_in), *split])
    wrong = [
        f"{found_in[words]}: {' '.join(words)}: {error}"
        for words, error in zip(found_in, errors, strict=False)
        if error is not None
    ]
    assert not wrong, "\n".join(wrong)
    assert None not in errors[len(found_in) :]


@pytest.mark.parametrize("index", ["README.md", "docs/README.md"])
def test_every_page_is_in_the_index(index):
    page = ROOT / index
    links = [link.partition("#")[0] for link in markdown.find_links(page)]
    linked = {(page.parent / link).resolve() for link in links}
    pages = set(markdown.PAGES) - {ROOT / "README.md", ROOT / "docs/README.md"}
    missing = {one.name for one in pages - linked}
    assert not missing


def test_architecture_shows_all_folders_and_their_ranks():
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    shown = {folder: int(rank) for rank, folder in _ROOM.findall(text)}
    folders = {
        path.parent.name for path in (ROOT / "tf_rigl").glob("*/__init__.py")
    }
    assert set(shown) == {*folders, "bin"}

    # Modules beside the folders have ranks between theirs.
    ranks = {folder: architecture_test.RANKS[folder] for folder in shown}
    dense = sorted(set(ranks.values()))
    assert shown == {
        folder: 1 + dense.index(rank) for folder, rank in ranks.items()
    }
