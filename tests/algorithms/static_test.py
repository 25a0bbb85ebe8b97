import dataclasses

import pytest

from tf_rigl.algorithms import Static


def test_never_updates():
    assert Static().schedule is None
    assert not Static().requirements.skips_step


@pytest.mark.parametrize("total_steps", [None, 0, 1000])
def test_needs_to_know_nothing(total_steps):
    assert Static().resolve(total_steps) == Static()


def test_configuration():
    assert Static().name == "static"
    assert Static().get_config() == {}
    assert Static(**Static().get_config()) == Static()
    assert hash(Static()) == hash(Static())


def test_immutable():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Static().name = "rigl"
