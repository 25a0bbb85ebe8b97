import keras
import numpy as np
import pytest
from keras import layers

import tf_rigl
from tf_rigl.export.litert.export import export_litert


def build(*middle):
    images = keras.Input((8, 8, 32))
    features = images
    for layer in middle:
        features = layer(features)
    model = keras.Model(images, features)
    include = [one for one in middle if "Depthwise" in type(one).__name__]
    options = tf_rigl.SparsifyOptions(include=include)
    return tf_rigl.sparsify(model, 0.95, "uniform", options=options)


def test_each_slow_layer_is_counted(tmp_path):
    dense = layers.Dense(64)
    layer = layers.Conv2D(64, 3)
    model = build(layer, layers.Flatten(), layers.Dense(64), dense)
    with pytest.warns(
        UserWarning, match="3 of its layers unpack theirs"
    ) as caught:
        report = export_litert(model, tmp_path / "model", "dynamic_int8")
    assert sum(row.sparse for row in report.rows) == 3
    # Each of the ways out is one.
    assert "LiteRTOptions(sparse=False)" in str(caught[0].message)
    options = tf_rigl.LiteRTOptions(sparse=False)
    export_litert(model, tmp_path / "d", "dynamic_int8", options=options)
    assert "quantization='full_int8'" in str(caught[0].message)
    data = np.ones((2, 8, 8, 32), "float32")
    export_litert(model, tmp_path / "full", "full_int8", data)


def test_layers_that_are_not_slower(tmp_path):
    """Dense, LiteRT computes these in int8 more slowly than in float."""
    model = build(
        layers.DepthwiseConv2D(5, depth_multiplier=3),
        layers.Conv2DTranspose(32, 3),
    )
    report = export_litert(model, tmp_path / "model", "dynamic_int8")
    assert sum(row.sparse for row in report.rows) == 2
