import pytest

import tf_rigl
from tf_rigl.experiments import methods


@pytest.mark.parametrize(
    ("algorithm", "name", "label"),
    [
        (tf_rigl.RigL(), "rigl()", "RigL()"),
        (tf_rigl.RigL(seed=4), "rigl()", "RigL()"),
        (
            tf_rigl.RigL(drop_fraction=0.1, decay="constant"),
            "rigl(drop_fraction=0.1, decay='constant')",
            "RigL(drop_fraction=0.1, decay='constant')",
        ),
        (
            tf_rigl.GradualPruning(criterion="random"),
            "pruning(criterion='random')",
            "Pruning(criterion='random')",
        ),
    ],
)
def test_algorithm_objects(algorithm, name, label):
    assert methods.name_of(algorithm) == name
    found = methods.find(name)
    assert (found.label, found.is_sparse, found.small) == (label, True, False)


def test_methods_of_the_command_line():
    assert methods.find("set") is methods.METHODS["set"]
    assert methods.find("mine(power=2)").label == "mine(power=2)"
    assert "0x" not in methods.text_of(object())
    assert methods.text_of(max) == "max"
