"""Models without an optimizer: each entry says what is missing."""

import keras
import pytest

import tf_rigl
from tests import support


class OwnStep(keras.Sequential):
    """Trains by itself, so `compile` needs no optimizer."""

    def train_step(self, batch):
        del batch
        return {"loss": 0.0}


def test_the_callback_needs_one():
    model = OwnStep([keras.Input((20,)), keras.layers.Dense(10)])
    tf_rigl.sparsify(model, 0.8)
    model.compile(optimizer=None, loss="mse")
    inputs, _ = support.make_data((20,))
    with pytest.raises(
        ValueError,
        match=r"`UpdateMasks` works inside the optimizer.*Received: "
        r"model='own_step.*' with optimizer=None.*tf_rigl\.attach\(optimizer",
    ):
        model.fit(
            inputs,
            verbose=0,
            callbacks=[tf_rigl.UpdateMasks(tf_rigl.RigL(stop_step=9))],
        )


@pytest.mark.parametrize("flavor", support.FLAVORS)
def test_checkpoints_need_one(flavor, tmp_path):
    model = tf_rigl.sparsify(support.make_mlp(pytest.importorskip(flavor)), 0.8)
    message = r"state is a part of the training.*optimizer=None.*Pass the opt"
    with pytest.raises(ValueError, match=message):
        tf_rigl.training_variables(model)
    checkpoints = tf_rigl.Checkpoints(tmp_path)
    with pytest.raises(ValueError, match=message):
        checkpoints.save(model, 1)
    with pytest.raises(TypeError, match=r"must be an optimizer.*=None"):
        tf_rigl.attach(None, model, tf_rigl.Static())
