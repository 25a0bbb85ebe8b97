import inspect

import keras
import pytest

from tf_rigl.models import registry


@pytest.mark.parametrize("name", registry.BUILDERS)
@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("width", 0, "`width` must be greater than 0.*width=0"),
        ("width", -1, "`width` must be greater than 0.*width=-1"),
        ("classes", 0, "must be positive.*classes=0"),
        ("dropout", -0.5, r"`dropout` must be in \[0, 1\).*dropout=-0.5"),
        ("dropout", 1, r"`dropout` must be in \[0, 1\).*dropout=1"),
    ],
)
def test_arguments_of_many(name, argument, value, message):
    build = registry.builder(name)
    if argument not in inspect.signature(build).parameters:
        pytest.skip(f"{name} has no {argument}")
    with pytest.raises(ValueError, match=message):
        build(keras, **{argument: value})


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("lenet_300_100", {"hidden_units": (300, 0)}, r"=\(300, 0\)"),
        ("lenet_5", {"filters": (6,)}, r"must be two.*filters=\(6,\)"),
        ("lenet_5", {"hidden_units": (0,)}, r"positive.*units=\(0,\)"),
        ("lenet_5", {"input_shape": (28,)}, r"\(height.*shape=\(28,\)"),
        ("lenet_5", {"input_shape": (28, 15)}, r"16 × 16.*=\(28, 15\)"),
        ("resnet_18", {"depth": 20}, r"of \[18, 34, 50, 101\].*depth=20"),
        ("resnet_20", {"depth": 18}, r"6 n \+ 2 .*Received: depth=18"),
        ("resnet_20", {"depth": 2}, "Received: depth=2"),
        ("conv_2", {"depth": 3}, r"of \[2, 4, 6, 8\]. Received: depth=3"),
        ("conv_2", {"hidden_units": (0,)}, r"positive.*units=\(0,\)"),
        ("conv_6", {"input_shape": (8, 7, 1)}, r"at least 8 × 8.*7, 1\)"),
        ("vit_s_16", {"patch_size": 15}, "multiples of `patch_size`.*=15"),
        ("vit_s_16", {"heads": 0}, "positive. Received: blocks=12, heads=0"),
        ("character_gru", {"cell": "rnn"}, r"of \['gru', 'lstm'\].*cell='rnn'"),
        ("character_gru", {"units": 0}, "positive.*units=0"),
        ("character_gru", {"readout_units": (256, 0)}, r"_units=\(256, 0\)"),
        ("resnet_8", {"widths": (16,) * 6}, "must be 7 positive.*: 6 numbers"),
        ("resnet_8", {"widths": (0, *[16] * 6)}, "must be 7 positive.*=.0, 16"),
        ("resnet_20", {"widths": (*[16] * 18, 9)}, r"\[16, 16, 9\] in stage 3"),
        ("resnet_8", {"shortcuts": "none"}, "`shortcuts` must be .*'none'"),
        ("padded_resnet_8", {"width": 0.3}, "19 of 10 in 'layer3_0'"),
        ("preresnet_164", {"depth": 20 + 1}, r"must be 9 n \+ 2.*depth=21"),
        ("preresnet_164", {"depth": 2}, "Received: depth=2"),
        ("preresnet_164", {"initialization": "he"}, "must be one of.*='he'"),
        (
            "preresnet_101",
            {"widths": (16,)},
            "must be 100 positive.* 1 numbers",
        ),
        ("densenet_40_12", {"depth": 41}, r"must be 3 n \+ 4.*depth=41"),
        ("densenet_40_12", {"depth": 4}, "Received: depth=4"),
        ("densenet_40_12", {"growth": 0}, "positive. Received: growth=0"),
        (
            "slimming_vgg_19",
            {"kernel_initializer": "he_normal"},
            "exclude each other.*='he_normal'",
        ),
        ("vgg_16", {"widths": (64,)}, "must be 13 positive.*: 1 numbers"),
        ("vgg_16", {"depth": 12}, r"\[11, 13, 16, 19\]. Received: depth=12"),
        ("vgg_16", {"hidden_units": (9, 0)}, r"positive.*units=\(9, 0\)"),
        ("vgg_16", {"input_shape": (32, 28, 3)}, r"at least 32 × 32.*28, 3\)"),
        ("wrn_22_2", {"depth": 20}, r"`depth` must be 6 n \+ 4 .*: depth=20"),
        ("wrn_22_2", {"depth": 4}, "Received: depth=4"),
        ("wrn_22_2", {"widening": 0}, "positive.*widening=0"),
    ],
)
def test_arguments_of_one(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        registry.builder(name)(keras, **arguments)
