"""A constant fraction that never stops, in many fits and in own loops."""

import pytest

import tf_rigl
from tests import support


@pytest.mark.parametrize("method", [tf_rigl.RigL, tf_rigl.SET])
def test_each_fit_moves_connections(keras, method):
    model = tf_rigl.sparsify(support.make_mlp(keras, (30,)), 0.8)
    allotted = support.counts(model)
    optimizer = keras.optimizers.Adam(0.01)
    algorithm = method("never", 4, decay="constant")
    for _ in range(3):
        history = support.train(
            keras, model, algorithm, 1, optimizer=optimizer
        ).history
        assert history["mask_churn"][0] > 0
    assert support.counts(model) == allotted


def test_own_loops_announce_no_steps(keras):
    model = tf_rigl.sparsify(support.make_mlp(keras, (30,)), 0.8)
    algorithm = tf_rigl.RigL("never", 5, decay="constant")
    moved = []
    for step in support.take_steps(keras, model, algorithm, 12):
        moved.append(support.moved(model))
        assert (moved[-1] > (moved[-2] if step else 0)) == (step % 5 == 0)
