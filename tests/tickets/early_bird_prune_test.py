"""A ticket is drawn by `prune_channels`, which takes its masks."""

import numpy as np
import pytest

import tf_rigl
from tests import support
from tests.tickets import early_bird_test


@support.keras_in_turn("ratio", [0.3, 0.5])
def test_draws_the_ticket(keras, ratio):
    model = early_bird_test.make_model(keras)
    ticket = tf_rigl.EarlyBird(ratio, threshold=1.0, window=2)
    early_bird_test.fit(keras, model, [ticket])
    small, _ = tf_rigl.prune_channels(model, masks=ticket.masks)

    for name in ("first", "second"):
        kept = ticket.masks[f"{name}/gamma"]
        layer = model.get_layer(name)
        gamma = layer.gamma.numpy()
        np.testing.assert_array_equal(
            small.get_layer(name).gamma.numpy(), gamma[kept]
        )
        # What goes is zero in the network before.
        layer.gamma.assign(gamma * kept)
        layer.beta.assign(layer.beta.numpy() * kept)
    inputs, _ = support.make_data((6, 6, 3))
    outputs = model.predict(inputs, verbose=0)
    np.testing.assert_allclose(
        small.predict(inputs, verbose=0),
        outputs,
        atol=1e-5 * np.abs(outputs).max(),
    )
    early_bird_test.fit(keras, small, [], initial_epoch=ticket.epoch)


def test_masks_of_another_model(keras=None):
    keras = support.fresh_keras("keras")
    other = support.make_mlp(keras)
    with pytest.raises(ValueError, match="first/gamma"):
        tf_rigl.prune_channels(other, masks={"first/gamma": np.ones(12, bool)})
