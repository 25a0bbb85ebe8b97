import numpy as np

import tf_rigl
from tests import zoo
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.masking.model_weights import model_weights
from tf_rigl.masking.model_weights import walk_model


def make_block(keras, inner, name):
    return zoo.of_layers(
        keras, lambda self, inputs: self.inner(inputs), name, inner=inner
    )


def test_each_weight_once_in_order(keras):
    layers = keras.layers
    shared = layers.Dense(4, name="shared")
    inputs = keras.Input((4,))
    hidden = layers.BatchNormalization(name="norm")(shared(shared(inputs)))
    model = keras.Model(inputs, layers.Dense(2, name="logits")(hidden))
    tf_rigl.sparsify(model, 0.5)
    found = model_weights(walk_model(model))
    assert [weight.path for weight in found] == [
        "shared/kernel",
        "shared/bias",
        "norm/gamma",
        "norm/beta",
        "norm/moving_mean",
        "norm/moving_variance",
        "logits/kernel",
        "logits/bias",
    ]
    kernels = ["shared/kernel", "logits/kernel"]
    masked = [weight.path for weight in found if weight.record is not None]
    assert masked == kernels
    eligible = [weight.path for weight in found if weight.layout is not None]
    assert eligible == kernels
    assert [weight.owner.name for weight in found][::2] == [
        "shared",
        "norm",
        "norm",
        "logits",
    ]


def test_layers_that_building_makes(keras):
    model = make_block(keras, keras.layers.Dense(3, name="inner"), "block")
    walked = walk_model(model)
    assert not walked.is_built
    model(np.zeros((2, 5), np.float32))
    paths = [weight.path for weight in model_weights(walked)]
    assert paths == ["inner/kernel", "inner/bias"]


def test_masks_of_a_layer_that_stands_elsewhere_first(keras):
    """The walk meets it within another model, which has no masks."""
    inner = keras.layers.Dense(4, name="inner")
    first, second = (make_block(keras, inner, name) for name in ("a", "b"))
    second(np.zeros((2, 4), np.float32))
    tf_rigl.sparsify(second, 0.5)
    inputs = keras.Input((4,))
    model = keras.Model(inputs, second(first(inputs)))
    (record,) = masked_weights(model)
    assert record.path == "b/inner/kernel"
    assert record.variable is inner.kernel
    (kernel, _) = model_weights(walk_model(model))
    assert kernel.record.path == kernel.path == record.path
