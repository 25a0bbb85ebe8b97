"""Steps whose gradients are not finite: left out, counted, too many."""

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tf_rigl.checkpointing.training_state import TrainingState

BAD = np.float32("nan")
BATCH_SIZE = 32


def data(bad):
    """Eight batches of which those in `bad` hold a number that is none."""
    inputs, labels = support.make_data((20,), 8 * BATCH_SIZE)
    for batch in bad:
        inputs[batch * BATCH_SIZE, 3] = BAD
    return inputs, labels


def fit(keras, bad, limit, algorithm=None, batches=8, **arguments):
    model = tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.8)
    model.compile(
        keras.optimizers.SGD(0.1, momentum=0.9),
        support.crossentropy(keras),
        **arguments,
    )
    callback = tf_rigl.UpdateMasks(
        algorithm or tf_rigl.RigL(stop_step=8, update_interval=3),
        max_non_finite_steps=limit,
    )
    seen = [part[: batches * BATCH_SIZE] for part in data(bad)]
    history = support.fit(
        model, seen, callbacks=[callback], batch_size=BATCH_SIZE
    )
    return model, history.history


def bits(model):
    """Weights, masks and slots; not the counters and the clock."""
    state = TrainingState.of(model, model.optimizer)
    return [
        value
        for value in state.values()
        if value.dtype in (np.float32, np.bool_)
    ]


@support.keras_in_turn("algorithm", ["rigl", "snfs", "updates_beside_steps"])
def test_a_bad_step_changes_nothing(keras, algorithm):
    """The last batch is bad: all is as if training had ended before it."""
    algorithm = {
        "rigl": tf_rigl.RigL(stop_step=8, update_interval=7),
        "snfs": tf_rigl.SNFS(stop_step=8, update_interval=7),
        "updates_beside_steps": tf_rigl.RigL(
            stop_step=8, update_interval=7, skip_weight_update=False
        ),
    }[algorithm]
    whole, history = fit(keras, [7], 2, algorithm, run_eagerly=True)
    assert history["skipped_steps"] == [1]
    assert np.isfinite(np.concatenate([b.ravel() for b in bits(whole)])).all()

    before, history = fit(keras, [], 2, algorithm, batches=7, run_eagerly=True)
    assert "skipped_steps" not in history
    support.assert_all_equal(bits(whole), bits(before))


@support.keras_in_turn("steps_per_execution", [1, 4])
def test_too_many_in_a_row_end_the_run(keras, steps_per_execution):
    with pytest.raises(FloatingPointError, match="of 3 steps in a row"):
        fit(keras, [2, 3, 4], 3, steps_per_execution=steps_per_execution)
    _, history = fit(
        keras, [1, 2, 4, 5], 3, steps_per_execution=steps_per_execution
    )
    assert history["skipped_steps"] == [4]


@support.one_keras("tf_keras")
def test_without_a_limit_training_is_as_ever(keras):
    """A step is taken, a mask update is not."""
    model, history = fit(keras, [4, 6], None)
    assert "skipped_steps" not in history
    # Weights are not finite from the first bad step on.
    assert history["skipped_mask_updates"] == [len(tf_rigl.masks(model))]
    assert np.isnan(np.concatenate([b.ravel() for b in bits(model)])).any()


@support.one_keras("keras")
def test_replicas_leave_out_the_same(keras, two_replicas):
    """A number that is bad for one replica is so for all."""
    with two_replicas.scope():
        model, history = fit(keras, [2], 2)
    assert history["skipped_steps"] == [1]
    for value in bits(model):
        assert np.isfinite(value).all()


@support.one_keras("keras")
def test_custom_loop(keras):
    model = tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.8)
    optimizer = keras.optimizers.SGD(0.1)
    tf_rigl.attach(
        optimizer, model, tf_rigl.RigL(stop_step=8), max_non_finite_steps=2
    )
    step = tf.function(support.make_step(keras, model, optimizer))
    inputs, labels = data([])
    step(inputs[:32], labels[:32])
    assert tf_rigl.check_finite(optimizer) == 0
    step(inputs[:32] * BAD, labels[:32])
    assert tf_rigl.check_finite(optimizer) == 1
    step(inputs[:32] * BAD, labels[:32])
    with pytest.raises(FloatingPointError, match="max_non_finite_steps"):
        tf_rigl.check_finite(optimizer)
    support.assert_masked(model, optimizer)


def test_only_an_optimizer_with_a_limit_is_looked_after(keras):
    with pytest.raises(ValueError, match=r"attached with a limit\. Received"):
        tf_rigl.check_finite(keras.optimizers.SGD())


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, "3"])
def test_the_limit_is_checked(limit):
    with pytest.raises(ValueError, match="Received: max_non_finite_steps="):
        tf_rigl.UpdateMasks(tf_rigl.Static(), max_non_finite_steps=limit)


@support.one_keras("tf_keras")
def test_weights_without_connections_are_told(keras):
    """A global threshold may leave nothing of a weight."""
    model = support.make_mlp(keras, (24,))
    model.layers[0].kernel.assign(model.layers[0].kernel * 1e-6)
    model = tf_rigl.sparsify(model, 0.8, start="dense")
    with pytest.warns(UserWarning, match=r"no connections left: .*kernel"):
        support.train(keras, model, tf_rigl.OneShot(1, scope="global"))
