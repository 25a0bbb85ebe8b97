import importlib
import os

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import zoo
from tests.export import support
from tf_rigl.export.litert import format
from tf_rigl.export.litert.export import export_litert
from tf_rigl.export.litert.quantize_aware import quantize_aware


def test_quantization_aware_training_keeps_zeros(tmp_path):
    keras = importlib.import_module("tf_keras")
    keras.utils.set_random_seed(1)
    layers = keras.layers
    images = keras.Input((5, 5, 3), name="images")
    features = layers.Conv2D(16, 3, use_bias=False)(images)
    features = layers.ReLU()(layers.BatchNormalization()(features))
    # What TFMOT's scheme forgets: a ReLU layer behind the convolution.
    features = layers.ReLU()(layers.Conv2D(64, 1)(features))
    features = layers.Dense(96, activation="relu")(layers.Flatten()(features))
    model = keras.Model(images, layers.Dense(10)(features))
    tf_rigl.sparsify(model, 0.9)

    before = support.weights_of(model)
    trained = quantize_aware(model)
    assert "TF_USE_LEGACY_KERAS" not in os.environ
    trained.compile(
        keras.optimizers.Adam(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    random = np.random.default_rng(0)
    data = random.normal(size=(32, 5, 5, 3)).astype(np.float32)
    trained.fit(data, random.integers(0, 10, 32), epochs=6, verbose=0)
    support.assert_same(support.weights_of(model), before)

    kernels = {
        variable.name: variable.numpy()
        for variable in trained.trainable_weights
        if len(variable.shape) > 1
    }
    masks = tf_rigl.masks(model)
    assert len(kernels) == len(masks) == 4
    for kernel, mask in zip(kernels.values(), masks.values(), strict=True):
        np.testing.assert_array_equal(kernel != 0, mask)

    path = tmp_path / "model"
    options = tf_rigl.LiteRTOptions(int8_io=True, verification_data=data)
    report = export_litert(trained, path, "full_int8", options=options)
    assert np.asarray(trained(data)).std() > 0.1
    assert report.relative_error < 0.1
    # Sparse dense layers are computed as 1×1 convolutions.
    rows = {(row.shape[0], row.elements): row for row in report.rows}
    for kernel in kernels.values():
        row = rows[kernel.shape[-1], kernel.size]
        assert row.type == "int8"
        assert row.nonzeros <= np.count_nonzero(kernel)
    assert rows[96, 96 * 576].sparse
    (subgraph,) = format.read(path.read_bytes()).subgraphs
    taken = subgraph.tensors[subgraph.inputs[0]]
    assert format.TYPES[taken.type] == "int8"


def test_quantize_aware_refuses(model):
    with pytest.raises(TypeError, match=r"tf_keras models. Received: a mod"):
        quantize_aware(model)
    keras = importlib.import_module("tf_keras")
    layer = keras.layers.Dense(3)
    own = zoo.of_layers(keras, lambda self, x: self.dense(x), dense=layer)
    own(tf.ones((1, 2)))
    with pytest.raises(ValueError, match="Sequential and functional models"):
        quantize_aware(own)
