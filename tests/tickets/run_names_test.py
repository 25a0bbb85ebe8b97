import pytest

from tf_rigl.tickets import run_names
from tf_rigl.tickets.run_names import ControlName


@pytest.mark.parametrize(
    ("control", "name"),
    [
        (ControlName("reinit", 9, False, 0), "control_reinit_09_0"),
        (
            ControlName("random_mask", 12, False, 10),
            "control_random_mask_12_10",
        ),
        (
            ControlName("constant", 123, True, 1),
            "control_constant_123_keep_sign_1",
        ),
    ],
)
def test_there_and_back(control, name):
    assert run_names.control(control) == name
    assert run_names.is_control(name)
    assert run_names.read_control(name) == control


def test_levels():
    assert run_names.level(3) == "level_03"
    assert not run_names.is_control("level_03")
    with pytest.raises(ValueError, match="Received: 'level_03'"):
        run_names.read_control("level_03")
