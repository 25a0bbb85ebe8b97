import json

import pytest

from tests.core.structures import reference
from tf_rigl.core import structures
from tf_rigl.core.structures import Block
from tf_rigl.core.structures import Channel
from tf_rigl.core.structures import NByM
from tf_rigl.core.structures import Structure
from tf_rigl.core.structures import Unstructured

EVERY = sorted({structure for structure, _ in reference.CASES}, key=str)


@pytest.mark.parametrize("structure", EVERY, ids=str)
def test_there_and_back(structure):
    config = json.loads(json.dumps(structures.serialize(structure)))
    assert structures.deserialize(config) == structure
    assert config["name"] == structure.name
    assert hash(structures.deserialize(config)) == hash(structure)


@pytest.mark.parametrize(
    ("structure", "config"),
    [
        (Unstructured(), {"name": "unstructured"}),
        (
            Block(4, 1, "max"),
            {"name": "block", "height": 4, "width": 1, "pooling": "max"},
        ),
        (NByM(2, 4), {"name": "n_by_m", "n": 2, "m": 4}),
        (structures.ConstantFanIn(), {"name": "constant_fan_in"}),
        (Channel(), {"name": "channel", "axis": "units", "pooling": "average"}),
    ],
    ids=str,
)
def test_configurations_last(structure, config):
    """Models saved with one version are read by the next."""
    assert structures.serialize(structure) == config


def test_a_configuration_stays_as_it_is():
    config = {"name": "n_by_m", "n": 2, "m": 4}
    structures.deserialize(config)
    assert config == {"name": "n_by_m", "n": 2, "m": 4}


@pytest.mark.parametrize("config", [{}, {"name": "nm", "n": 2}])
def test_unknown_names(config):
    with pytest.raises(
        ValueError,
        match=r"must be one of \('unstructured', 'block', 'n_by_m', "
        r"'constant_fan_in', 'channel'\)\. Received: name=.* in \{.*\}\.",
    ):
        structures.deserialize(config)


def test_none_is_unstructured():
    assert structures.as_structure(None) == Unstructured()


@pytest.mark.parametrize("structure", EVERY, ids=str)
def test_structures_are_structures(structure):
    assert isinstance(structure, Structure)
    assert structures.as_structure(structure) is structure


@pytest.mark.parametrize("value", ["2:4", (2, 4), NByM, 0.5], ids=str)
def test_nothing_else_is_a_structure(value):
    with pytest.raises(
        TypeError,
        match=r"must be None or an object such as `NByM\(2, 4\)`\. Received: ",
    ):
        structures.as_structure(value)
