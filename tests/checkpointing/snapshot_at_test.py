import numpy as np
import pytest

import tf_rigl
from tests import support
from tests.checkpointing.snapshot_test import fit
from tests.checkpointing.snapshot_test import make_model


@support.keras_in_turn("step", [0, 5, 4, 2])
def test_takes_the_values_of_the_step(keras, tmp_path, step):
    taken = {}

    class Watch(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            number = int(np.asarray(self.model.optimizer.iterations))
            taken.setdefault(number, self.model.layers[0].kernel.numpy())

    model = make_model(keras)
    path = tmp_path / "k.npz"
    fit(model, 2, [tf_rigl.SnapshotAt(step, path), Watch()])
    found = tf_rigl.Snapshot.load(path)
    assert found.step == step
    np.testing.assert_array_equal(found.weights["first/kernel"], taken[step])


def test_steps_of_accumulated_gradients(tmp_path):
    """Only optimizers of Keras 3 accumulate."""
    keras = support.fresh_keras("keras")
    optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
    model = make_model(keras, optimizer)
    fit(model, 2, [tf_rigl.SnapshotAt(3, tmp_path / "k.npz")])
    assert tf_rigl.Snapshot.load(tmp_path / "k.npz").step == 3


def test_several_steps_in_one_call(keras, tmp_path):
    model = make_model(keras)
    model.compile("adam", support.crossentropy(keras), steps_per_execution=2)
    fit(model, 1, [tf_rigl.SnapshotAt(2, tmp_path / "k.npz")])
    assert tf_rigl.Snapshot.load(tmp_path / "k.npz").step == 2
    with pytest.raises(ValueError, match=r"step=7, which lies within.*step 8"):
        fit(model, 1, [tf_rigl.SnapshotAt(7, tmp_path / "no.npz")])
    assert not (tmp_path / "no.npz").exists()


@support.one_keras("tf_keras")
def test_a_step_that_has_passed(keras, tmp_path):
    model, path = make_model(keras), tmp_path / "k.npz"
    fit(model, 1, [tf_rigl.SnapshotAt(2, path)])
    before = path.read_bytes()
    # A training that is resumed leaves the file as it is.
    fit(model, 1, [tf_rigl.SnapshotAt(2, path)])
    assert path.read_bytes() == before
    path.unlink()
    with pytest.raises(ValueError, match=r"goes on from step 8, without"):
        fit(model, 1, [tf_rigl.SnapshotAt(2, path)])


@support.one_keras("keras")
def test_training_that_ends_before(keras, tmp_path):
    with pytest.warns(UserWarning, match="ended before step 9"):
        fit(make_model(keras), 1, [tf_rigl.SnapshotAt(9, tmp_path / "k.npz")])


@pytest.mark.parametrize("step", [-1, 1.5, True, None])
def test_bad_steps(step):
    with pytest.raises(ValueError, match=f"Received: step={step}"):
        tf_rigl.SnapshotAt(step, "k.npz")
