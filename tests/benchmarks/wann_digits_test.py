import pytest

from benchmarks import wann_digits
from tf_rigl import wann


@pytest.mark.parametrize("connections", [3, 120, 200])
def test_contenders_have_as_many_connections(connections):
    task = wann.Digits()
    grown = wann_digits.grow(task, connections, seed=1)
    linear = wann_digits.draw_linear(task, connections, seed=1)
    assert grown.connections == linear.connections == connections
    assert linear.hidden == 0
    assert wann_digits.grow(task, connections, seed=1) == grown
    assert wann_digits.grow(task, connections, seed=2) != grown
