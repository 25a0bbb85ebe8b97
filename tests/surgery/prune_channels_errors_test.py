"""Errors of fewer channels: the rule, what was received, and the way out."""

import numpy as np
import pytest

import tf_rigl
from tests import support as training
from tests import zoo
from tests.surgery import dead_units
from tests.surgery import pruning
from tests.surgery import support


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({}, r"Exactly one of 'ratio', 'widths'.*Received: none"),
        ({"ratio": 0.5, "flops": 9}, r"Exactly one of .*Received: \{'ratio'"),
        ({"ratio": 1.5}, r"share of channels to remove.*ratio=1\.5"),
        ({"ratio": 0.5, "criterion": "l3"}, r"criterion.*one of \('l1', "),
        ({"ratio": 0.5, "scope": "model"}, "`scope` must be one of"),
        ({"ratio": 0.5, "reduce": "min"}, "`reduce` must be one of"),
        ({"ratio": 0.5, "normalize": "max"}, "`normalize` must be one of"),
        ({"ratio": 0.5, "min_channels": 0}, "`min_channels` must be at least"),
        ({"ratio": 0.5, "round_to": 0}, "`round_to` must be at least 1"),
        ({"ratio": 0.5, "max_ratio": 2}, "largest share of channels"),
        ({"ratio": 0.5, "keep": ["third"]}, r"`keep` must name.*'third'"),
        (
            {"ratio": 0.5, "keep": ["first", "second"]},
            r"must have channels that may be removed.*first: named in `keep`",
        ),
        ({"ratio": 0.5, "criterion": "taylor"}, "'taylor' needs `data`"),
        (
            {"ratio": 0.5, "criterion": "taylor", "data": []},
            "'taylor' needs gradients and so a loss",
        ),
        (
            {"ratio": 0.5, "criterion": "activation", "data": []},
            "`data` must hold at least one batch",
        ),
        (
            {"ratio": 0.5, "criterion": "taylor", "data": [], "loss": "mse"},
            "`data` must hold at least one batch.*used up",
        ),
        (
            {
                "ratio": 0.5,
                "criterion": "taylor",
                "data": [(1, 2, 3)],
                "loss": "mse",
            },
            r"without sample weights.*pass `dataset\.map\(lambda x, y, \*_",
        ),
        ({"ratio": "0.5"}, r"share of channels to remove.*ratio='0\.5'"),
        (
            {"ratio": 0.5, "criterion": lambda group: [1.0]},
            r"one score a channel.*shape \(1,\) for the 10 .*'first'",
        ),
        (
            {"ratio": 0.5, "criterion": lambda g: np.full(g.channels, np.nan)},
            "Scores must be finite.*'first'",
        ),
        (
            {"ratio": 0.5, "criterion": lambda group: "all"},
            r"one score a channel, numbers.*\(group\)='all' for 'first'",
        ),
        (
            {"ratio": 0.5, "criterion": "random", "seed": -1},
            "`seed` must be at least 0",
        ),
        ({"masks": {"first": [[1], [1, 2]]}}, r"bool array.*\[\[1\], \[1, 2"),
        ({"parameters": 9}, r"within the budget.*parameters=9, but.* 56 are"),
        ({"flops": 9}, r"within the budget.*flops=9, but.* 2\d+ are left"),
        ({"widths": {"third": 3}}, r"`widths` must name.*'third'"),
        ({"widths": {"first": 11}}, r"only be removed.*'first': 11, .*has 10"),
        ({"widths": {"first": 0}}, r"widths\['first'\]` must be at least 1"),
        (
            {"widths": {"out": 3}},
            r"'out': 3, but 5 of 5 must stay: model output\. Leave it out",
        ),
        ({"masks": {"third": [True]}}, r"`masks` must name layers.*'third'"),
        (
            {"masks": {"first": np.ones(4, bool)}},
            r"must be bool.*'first'.*shape \(4,\) for 10",
        ),
        (
            {"masks": {"out": np.arange(5) > 2}},
            r"Masks must remove channels that may.*out: model output",
        ),
        ({"ratio": 0.5, "compiled": True}, r"compiled=True\. Leave"),
    ],
)
def test_errors(options, match):
    keras = training.fresh_keras("keras")
    model = pruning.convnet(keras)
    before = pruning.weights_of(model)
    with pytest.raises(ValueError, match=match):
        tf_rigl.prune_channels(model, **options)
    training.assert_all_equal(pruning.weights_of(model), before)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"widths": [("a", 3)]}, r"`widths` must be a dictionary.*\('a', 3\)"),
        ({"masks": [True]}, "`masks` must be a dictionary"),
        (
            {"ratio": 0.5, "criterion": "apoz", "data": np.ones((3, 6))},
            r"`data` must be batches.*numpy\.ndarray.*list of pairs",
        ),
        (
            {"ratio": 0.5, "criterion": "taylor", "data": 5, "loss": "mse"},
            "`data` must be batches.*'int'",
        ),
        (
            {
                **{"ratio": 0.5, "criterion": "activation"},
                "data": (np.ones((3, 6, 6, 3)), np.ones((3, 5))),
            },
            "`data` must be batches.*'tuple'.*list of pairs",
        ),
    ],
)
def test_errors_of_types(options, match):
    model = pruning.convnet(training.fresh_keras("keras"))
    before = pruning.weights_of(model)
    with pytest.raises(TypeError, match=match):
        tf_rigl.prune_channels(model, **options)
    training.assert_all_equal(pruning.weights_of(model), before)


@training.one_keras("tf_keras")
def test_what_is_behind_a_layer_of_ones_own_is_kept(keras):
    """It is named, with the ways out."""
    layers = keras.layers

    class Reverse(layers.Layer):
        def call(self, inputs):
            return inputs[..., ::-1]

    model = support.chain(
        keras,
        (4, 4, 3),
        layers.Conv2D(6, 1, name="a"),
        Reverse(name="own"),
        layers.Conv2D(6, 1, name="b"),
        layers.Conv2D(3, 1, name="out"),
    )
    before = pruning.weights_of(model)
    match = r"'a'.*read by own \(Reverse\).*`tf_rigl.channel_rule`"
    for chosen in ({"widths": {"a": 3}}, {"masks": {"a": np.arange(6) < 3}}):
        with pytest.raises(ValueError, match=match):
            tf_rigl.prune_channels(model, **chosen)
    training.assert_all_equal(pruning.weights_of(model), before)
    _, report = tf_rigl.prune_channels(model, 0.5)
    assert pruning.left(report) == {"a": 6, "b": 3, "out": 3}


def test_errors_of_models(keras):
    with pytest.raises(ValueError, match="subclassed model does not say"):
        tf_rigl.prune_channels(zoo.subclassed(keras), 0.5)
    with pytest.raises(ValueError, match=r"must be built.*'sequential"):
        tf_rigl.prune_channels(zoo.sequential_unbuilt(keras), 0.5)
    with pytest.raises(TypeError, match="must be a Keras model"):
        tf_rigl.prune_channels(keras.layers.Dense(3), 0.5)
    model = support.chain(keras, (4,), keras.layers.Dense(3, name="out"))
    with pytest.raises(ValueError, match=r"may be removed.*out: model output"):
        tf_rigl.prune_channels(model, 0.5)
    model = dead_units.CASES["residual"].build(keras)
    with pytest.raises(ValueError, match=r"Coupled layers .*'a': 2 and 'c': 3"):
        tf_rigl.prune_channels(model, widths={"a": 2, "c": 3})
