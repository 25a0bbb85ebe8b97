"""Groups of coupled channels, and which channels a criterion removes."""

import numpy as np
import pytest

import tf_rigl
from tests import support as training
from tests import zoo
from tests.surgery import dead_units
from tests.surgery import followed
from tests.surgery import support


def summary(model):
    return {
        group.makers or group.name: (group.channels, bool(group.kept))
        for group in tf_rigl.channel_groups(model)
    }


def build(name, keras):
    return dead_units.CASES[name].build(keras)


def test_sums_couple_channels(keras):
    assert summary(build("residual", keras)) == {
        "input of a": (2, True),
        ("a", "c", "d"): (6, False),
        ("b",): (4, False),
        ("out",): (3, True),
    }


def test_gates_and_depthwise_convolutions_couple_channels(keras):
    """Two features behind `depth` are one channel of `a`."""
    groups = tf_rigl.channel_groups(build("gated", keras))
    assert [(one.makers, one.channels) for one in groups if not one.kept] == [
        (("a", "depth", "excite"), 5),
        (("squeeze",), 4),
        (("b",), 4),
    ]
    members = {one.path: one for one in groups.groups[1].members}
    excite = members["excite/kernel"]
    assert excite.makes and excite.positions.tolist() == [
        [2 * channel, 2 * channel + 1] for channel in range(5)
    ]
    values = np.asarray(excite.variable)
    np.testing.assert_array_equal(
        excite.slices()[3], values[..., 6:8].transpose(3, 0, 1, 2).ravel()
    )

    # 4 channels at 4 positions.
    (last,) = (one for one in groups if one.name == "b")
    assert last.members[-1].path == "out/kernel"
    assert last.members[-1].positions.shape == (4, 4)


@training.keras_in_turn(
    "name", ["branches", "nested", "shared", "reshaped", "recurrent"]
)
def test_groups_of_concatenations_inner_models_and_shared_layers(keras, name):
    expected = {
        "branches": {("a",): 4, ("c",): 4},
        "nested": {("first/a",): 6, ("first/b",): 5, ("second/c",): 3},
        "shared": {("a", "b"): 6, ("shared",): 5},
        "reshaped": {("a",): 3, ("b",): 4, ("c",): 5},
        "recurrent": {("a",): 5, ("lstm",): 6, ("gru",): 5, ("rnn",): 4},
    }[name]
    groups = tf_rigl.channel_groups(build(name, keras))
    free = {
        tuple(sorted(one.makers)): one.channels
        for one in groups
        if not one.kept
    }
    assert free == expected


@training.keras_in_turn("name", ["groups", "heads", "wrapped"])
def test_groups_of_layers_within_layers(keras, name):
    """Of 4 and 3 groups of channels, of heads, and of both directions."""

    def projections(path):
        others = ("query", "key", "value")
        return tuple(f"{path}/{one}" for one in ("attention_output", *others))

    expected = {
        "groups": {("a",): 2, ("b", "c"): 3, ("d",): 4},
        "heads": {
            **{("a",): 6, ("b",): 6},
            **{projections("self"): 4, ("self/attention_output",): 6},
            **{projections("cross"): 3, ("cross/attention_output",): 5},
        },
        "wrapped": {
            **{("a",): 5, ("b",): 3, ("both",): 6, ("sum",): 4, ("c",): 4}
        },
    }[name]
    model = followed.CASES[name].build(keras)
    groups = tf_rigl.channel_groups(model)
    free = {one.makers: one.channels for one in groups if not one.kept}
    assert free == expected


TABLE = """
made by     together with  channels
-----------------------------------
input of a                        2
a           c, d                  6
b                                 4
out                               3

Kept:
- input of a: model input
- out: model output"""


def test_table(keras):
    groups = tf_rigl.channel_groups(build("residual", keras))
    assert str(groups) == f"Model {groups.name!r}\n{TABLE}"
    assert len(groups) == 4


def test_reasons_of_barriers():
    keras = training.fresh_keras("keras")
    groups = tf_rigl.channel_groups(build("unknown", keras))
    kept = {one.name: one.kept for one in groups if one.kept}
    assert any("doubled" in reason for reason in kept["f"])


def test_errors(keras):
    with pytest.raises(ValueError, match="subclassed model does not say"):
        tf_rigl.channel_groups(zoo.subclassed(keras))
    with pytest.raises(TypeError, match="must be a Keras model"):
        tf_rigl.channel_groups(keras.layers.Dense(3))
    model = support.chain(keras, (4,), keras.layers.Dense(3))
    assert all(one.kept for one in tf_rigl.channel_groups(model))
