"""Updates without an end, and with more connections between two parts."""

import numpy as np
import pytest

import tf_rigl
from tests import support
from tf_rigl.masking.masked_weight import masked_weights


@support.keras_in_turn("method", [tf_rigl.RigL, tf_rigl.SET])
def test_connections_by_the_step(keras, method):
    """Grown at 2 and 8, dropped at 5 and 11; 14 would end after the stop."""
    model = tf_rigl.sparsify(support.make_mlp(keras, (30,)), 0.8)
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    algorithm = method(
        16, 6, 0.29, start_step=2, decay="constant", drop_delay=3
    )
    targets = np.array([record.target for record in masked_weights(model)])
    more = targets + targets * 29 // 100
    for step in support.take_steps(keras, model, algorithm, 17, optimizer):
        expected = more if step in (2, 3, 4, 8, 9, 10) else targets
        found = [record.num_active() for record in masked_weights(model)]
        np.testing.assert_array_equal(found, expected)
        support.assert_masked(model, optimizer)


@support.one_keras("tf_keras")
def test_fit_and_go_on(keras):
    """A second fit drops what the first has grown."""
    model = tf_rigl.sparsify(support.make_mlp(keras, (30,)), 0.8)
    allotted = support.counts(model)
    optimizer = keras.optimizers.Adam(0.01)
    algorithm = tf_rigl.RigL("never", 10, decay="constant", drop_delay=5)
    # Eight batches an epoch: grown at 0, dropped at 5, grown at 10.
    for _ in range(2):
        history = support.train(
            keras, model, algorithm, 1, optimizer=optimizer
        ).history
        assert history["mask_churn"][0] > 0
        assert support.counts(model) == allotted


@support.one_keras("keras")
def test_own_loops_announce_no_steps(keras):
    model = tf_rigl.sparsify(support.make_mlp(keras, (30,)), 0.8)
    algorithm = tf_rigl.RigL("never", 5, decay="constant")
    moved = [0]
    for step in support.take_steps(keras, model, algorithm, 12):
        moved.append(support.moved(model))
        assert (moved[-1] > moved[-2]) == (step % 5 == 0)


def test_structures_are_refused(keras):
    model = tf_rigl.sparsify(
        support.make_mlp(keras, (32,)), 0.5, structure=tf_rigl.Block(2, 2)
    )
    with pytest.raises(ValueError, match="unstructured"):
        tf_rigl.attach(
            keras.optimizers.SGD(), model, tf_rigl.RigL(9, 5, drop_delay=2)
        )
