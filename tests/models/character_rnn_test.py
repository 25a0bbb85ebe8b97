import numpy as np
import pytest

import tf_rigl
from tests.models import support
from tf_rigl.models import character_rnn

# Weights of a recurrent layer for each of its gates.
GATE = 128 * 512 + 512 * 512
READOUT = 512 * 256 + 256 * 128 + 128 * 256
BIASES = 256 + 128 + 256


@pytest.mark.parametrize(
    ("cell", "gates", "biases"), [("gru", 3, 2), ("lstm", 4, 1)]
)
def test_the_network_of_the_paper(keras, cell, gates, biases):
    model = character_rnn.character_rnn(keras, cell)
    assert model.name == f"character_{cell}"
    weights = gates * GATE + READOUT
    embedding = 256 * 128
    assert model.count_params() == (
        weights + embedding + gates * biases * 512 + BIASES
    )

    profile = tf_rigl.profile(
        tf_rigl.sparsify(model, 0.75, "uniform"), inputs=(None, 512)
    )
    assert profile.dense_macs == 512 * weights
    assert profile.macs == pytest.approx(0.25 * profile.dense_macs, rel=1e-5)
    assert profile.uncounted == ()
    masked = [row.path for row in profile.rows if row.masked]
    assert masked == [row.path for row in support.kernels(profile)]
    assert len(masked) == 5


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_predicts_from_what_was_read(keras, cell):
    """Logits at a position depend on it and on earlier ones alone."""
    model = character_rnn.character_rnn(
        keras,
        cell,
        vocabulary=9,
        embedding_units=4,
        units=6,
        readout_units=(5,),
    )

    text = np.random.default_rng(0).integers(0, 9, (2, 8))
    changed = text.copy()
    changed[:, 5] = (text[:, 5] + 1) % 9
    before, after = np.asarray(model(text)), np.asarray(model(changed))
    assert before.shape == (2, 8, 9)
    np.testing.assert_allclose(after[:, :5], before[:, :5], rtol=1e-5)
    assert (np.abs(after[:, 5:] - before[:, 5:]).max(axis=(0, 2)) > 0).all()


def test_width_and_length(keras):
    model = character_rnn.character_rnn(keras, length=16, width=0.25)
    assert tuple(model.output.shape) == (None, 16, 256)
    names = ["gru", "readout1", "readout2", "logits"]
    units = [model.get_layer(name).units for name in names]
    assert units == [128, 64, 32, 256]
    assert model.get_layer("embedding").output_dim == 32
