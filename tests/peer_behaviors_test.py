"""The table of behaviors names tests that exist."""

import ast
import functools
import pathlib

import pytest

from tests.peer_behaviors import BEHAVIORS

ROOT = pathlib.Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.source_tree


@functools.cache
def names_in(file):
    """The names of the test functions of one file, without importing it."""
    path = ROOT / file
    if not path.is_file():
        return frozenset()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def test_named_tests_exist():
    missing = []
    for row in BEHAVIORS:
        for node_id in row.tests:
            file, _, name = node_id.partition("::")
            if not file.endswith("_test.py") or name not in names_in(file):
                missing.append(f"{row.section} {row.text}: {node_id}")
    assert not missing, "\n".join(missing)


def test_a_missing_test_would_be_noticed():
    assert "test_named_tests_exist" in names_in("tests/peer_behaviors_test.py")
    assert "names_in" not in names_in("tests/peer_behaviors_test.py")
    assert not names_in("tests/nowhere_test.py")


def test_no_row_is_empty():
    for row in BEHAVIORS:
        assert row.section.startswith("3."), row
        assert row.text.strip(), row
        assert row.tests or row.why_not.strip(), row
        assert len(set(row.tests)) == len(row.tests), row


def test_rows_are_unique():
    keys = [(row.section, row.text) for row in BEHAVIORS]
    assert len(set(keys)) == len(keys)


def test_no_section_is_left_out():
    """3.1 to 3.9 have rows; 3.10 has fifteen items, one row each."""
    sections = {row.section for row in BEHAVIORS}
    expected = {f"3.{number}" for number in range(1, 10)}
    assert sections == expected | {f"3.10-{item}" for item in range(1, 16)}
