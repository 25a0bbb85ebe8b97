"""Masks are those of version 0.1, for every method, bit for bit."""

import json
import pathlib

import pytest

from tests import support
from tests.compatibility import goldens

PATH = pathlib.Path(__file__).resolve().parent / "data" / "goldens.json"


# They have oracles in `tests/methods`, too, which are fast.
SLOW = "rigl_grow_random random_pruning one_shot dnw top_kast".split()


def read():
    return json.loads(PATH.read_text("utf-8"))


@pytest.mark.parametrize(
    ("name", "keras"),
    support.in_turn(
        goldens.ROWS, lambda name: goldens.ROWS[name].in_full or name in SLOW
    ),
)
def test_masks(name, keras):
    recorded = goldens.record(name, keras)
    expected = read()[name]
    assert recorded["initial"] == expected["initial"]
    assert recorded["trained"] == expected["trained"]


def test_methods_train():
    """Goldens would say little if masks stayed as they are."""
    still = {
        name
        for name, masks in read().items()
        if masks["initial"] == masks["trained"]
    }
    assert still == {"static", "grasp", "grasp_by_weight"}
