import dataclasses

import pytest

from tf_rigl.core import structures
from tf_rigl.core.structures import configuration


@pytest.fixture(autouse=True)
def _registry(monkeypatch):
    classes = dict(configuration._CLASSES)
    monkeypatch.setattr(configuration, "_CLASSES", classes)


@dataclasses.dataclass(frozen=True)
class Row(structures.Tiled):
    """Runs of units of one input."""

    name = "row"

    width: int
    pooling: str = "max"

    def tile(self, shape):
        return 1, 1, min(self.width, shape[2])

    def get_config(self):
        return dataclasses.asdict(self)


def test_round_trip():
    config = structures.serialize(Row(4))
    with pytest.raises(ValueError, match=r"must be one of .*'block'.*'row'"):
        structures.deserialize(config)
    assert structures.register(Row) is Row
    assert structures.deserialize(config) == Row(4)
    assert isinstance(Row(4), structures.Structure)


def test_names_are_not_taken_twice():
    structures.register(Row)
    with pytest.raises(ValueError, match=r"Row\.name='row'; taken are .*'row'"):
        structures.register(Row)


def test_a_structure_needs_a_name():
    class Nameless:
        pass

    with pytest.raises(ValueError, match=r"Nameless\.name=None"):
        structures.register(Nameless)
