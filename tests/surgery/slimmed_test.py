"""Network slimming from masks of scales to fewer channels, in both Keras."""

import tf_rigl
from tests import support as training
from tests.surgery import pruning
from tests.surgery import selection_test
from tests.surgery import support
from tests.surgery.shrink_test import close

NETWORKS = {
    "chain": pruning.convnet,
    # Its branches read selections of the stream.
    "pre_activation": selection_test.pre_activation,
}


def train(model, algorithm):
    data = training.make_data(model.input_shape[1:])
    training.fit(model, data, algorithm, batch_size=16)


@training.keras_in_turn("name", NETWORKS)
def test_slimmed_networks_lose_their_channels(keras, name):
    """★ The exact number of all; outputs are those of the masked model."""
    model = NETWORKS[name](keras)
    tf_rigl.sparsify(model, 0.4, weights="scales", start="dense")
    optimizer = keras.optimizers.SGD(0.05, momentum=0.9)
    model.compile(optimizer, training.crossentropy(keras))
    train(model, tf_rigl.Slimming(strength=1e-3))
    tf_rigl.prune(model, "magnitude", scope="global")
    train(model, tf_rigl.Static())

    masks = tf_rigl.masks(model)
    total = sum(mask.size for mask in masks.values())
    left = sum(mask.sum() for mask in masks.values())
    assert left == total - int(0.4 * total)

    small, report = tf_rigl.shrink(model)
    assert tf_rigl.masks(small) == {}
    for path, mask in masks.items():
        assert tf_rigl.masks(model)[path].sum() == mask.sum()
        layer = small.get_layer(path.removesuffix("/gamma"))
        assert layer.gamma.shape == (mask.sum(),), str(report)

    inputs = support.example(model)
    expected = model(inputs).numpy()
    close(small(inputs).numpy(), expected, tolerance=1e-5)
    assert (expected.std(axis=0) > 1e-3).all()
