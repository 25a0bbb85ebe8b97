"""Masks are those of version 0.1, for every method, bit for bit."""

import json
import pathlib

import pytest

from tests.compatibility import cases
from tests.compatibility import goldens

PATH = pathlib.Path(__file__).resolve().parent / "data" / "goldens.json"


def parameters():
    """Each row in one Keras or the other; in both where time is no matter."""
    for place, (name, row) in enumerate(goldens.ROWS.items()):
        for number, keras in enumerate(cases.KERASES):
            slow = row.in_full or number != place % 2
            yield pytest.param(
                name, keras, marks=[pytest.mark.slow] if slow else []
            )


def read():
    return json.loads(PATH.read_text("utf-8"))


@pytest.mark.parametrize(("name", "keras"), parameters())
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
