"""Masked layers of unregistered classes are loaded by `custom_objects`."""

import pytest

import tf_rigl
from tests import support


def make(keras):
    """A class that no file of its own registers, and what to call it."""

    class Scaled(keras.layers.Dense):
        def __init__(self, units, scale=2.0, **kwargs):
            super().__init__(units, **kwargs)
            self.scale = scale

        def call(self, inputs):
            return self.scale * super().call(inputs)

        def get_config(self):
            return {**super().get_config(), "scale": self.scale}

    model = keras.Sequential(
        [keras.Input((20,)), Scaled(8, 3.0, name="scaled")]
    )
    return tf_rigl.sparsify(model, 0.5), {"Scaled": Scaled}


@pytest.mark.parametrize("file", ["model.keras", "model.h5"])
def test_files_are_loaded(keras, file, tmp_path):
    model, objects = make(keras)
    model.save(tmp_path / file)
    loaded = keras.models.load_model(
        tmp_path / file, custom_objects=objects, compile=False
    )
    assert loaded.get_layer("scaled").scale == 3.0
    support.assert_same_masks(tf_rigl.masks(loaded), tf_rigl.masks(model))
    support.assert_masked(loaded, slots_too=False)


def test_configurations_are_loaded(keras):
    model, objects = make(keras)
    layer = model.get_layer("scaled")
    again = type(layer).from_config(layer.get_config(), objects)
    assert again.scale == 3.0
