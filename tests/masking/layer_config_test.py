import json

import pytest

import tf_rigl
from tests import support
from tf_rigl.core import dice
from tf_rigl.core.dice import Dice
from tf_rigl.masking import layer_config
from tf_rigl.masking.layer_config import LayerConfig
from tf_rigl.masking.layer_config import WeightConfig
from tf_rigl.masking.layer_rules import kernel_layout
from tf_rigl.version import __version__

DICE = Dice((-3, 5 << 40), *dice.NORMAL, 0.125)


def configuration(keras):
    layer = keras.layers.Dense(6)
    layer.build((None, 4))
    return LayerConfig(
        {
            "kernel": WeightConfig(
                (4, 6), 12, kernel_layout(layer, layer.kernel)
            ),
            "other": WeightConfig((3,), 1, dice=DICE),
        },
        seed=3,
        key="dense",
        structure=tf_rigl.NByM(2, 4),
        start="dense",
        state={"kernel": {"sums": "float32"}},
    )


def test_json_and_back(keras):
    config = configuration(keras)
    written = json.loads(json.dumps(layer_config.serialize(config)))
    assert layer_config.deserialize(written) == config
    assert written["version"] == layer_config.VERSION
    assert written["tf_rigl"] == __version__


# As written before configurations had a version.
WEIGHT = {"shape": [4, 6], "nonzeros": 12}
WITHOUT_VERSION = {
    "weights": {"kernel": WEIGHT},
    "seed": 3,
    "key": "dense",
}


def test_without_a_version():
    assert layer_config.deserialize(WITHOUT_VERSION) == LayerConfig(
        {"kernel": WeightConfig((4, 6), 12)}, 3, "dense"
    )


def test_a_model_without_versions_loads(keras):
    """The same masks, and the structure that a file names."""
    model = tf_rigl.sparsify(
        support.make_mlp(keras, (8,), outputs=8),
        0.5,
        "uniform",
        structure=tf_rigl.NByM(2, 4),
    )
    config = model.get_config()

    def without_versions(part):
        if isinstance(part, dict):
            new = ("version", "tf_rigl", "masks", "storage")
            return {
                key: without_versions(value)
                for key, value in part.items()
                if key not in new
            }
        if isinstance(part, (list, tuple)):
            return type(part)(map(without_versions, part))
        return part

    old = without_versions(config)
    assert old != config
    loaded = type(model).from_config(old)
    support.assert_same_masks(tf_rigl.masks(loaded), tf_rigl.masks(model))
    assert loaded.get_config() == config


@pytest.mark.parametrize(
    ("change", "received"),
    [
        ({"version": 99}, "version=99"),
        ({"version": "2"}, "version='2'"),
        ({"masks": "elsewhere"}, "masks='elsewhere'"),
        (
            {"weights": {"kernel": {**WEIGHT, "storage": "folded"}}},
            "storage='folded' of 'kernel'",
        ),
        (
            {"weights": {"kernel": {**WEIGHT, "low_rank": 3}}},
            "settings ['low_rank'] of 'kernel'",
        ),
        (
            {
                "weights": {
                    "kernel": {**WEIGHT, "dice": {**DICE.to_json(), "sides": 7}}
                }
            },
            "Dice(seed=(-3, 5497558138880), number=12, sides=7, scale=0.125) "
            "of 'kernel'",
        ),
    ],
    ids=["version", "text", "masks", "storage", "setting", "dice"],
)
def test_what_only_a_newer_library_reads(keras, change, received):
    written = {
        "layer": {"class_name": "of a newer Keras"},
        **layer_config.serialize(configuration(keras)),
        "tf_rigl": "9.8.0",
        **change,
    }
    masked = tf_rigl.sparsify(support.make_mlp(keras, (4,)), 0.5).layers[-1]
    with pytest.raises(ValueError, match=r"tf_rigl>=9\.8\.0") as error:
        type(masked).from_config(written)
    assert f"Received: {received}, written by tf_rigl 9.8.0" in str(error.value)


def test_a_newer_version_that_names_no_library():
    with pytest.raises(ValueError, match="Install a newer tf_rigl"):
        layer_config.deserialize({"version": 2})
