"""What a search costs: levels of known densities and steps."""

import pytest

import tf_rigl
from tests import support
from tf_rigl.accounting import search_flops
from tf_rigl.masking.masked_weight import masked_weights


def record(number, steps, connections):
    return {
        "name": f"level_{number:02d}",
        "level": number,
        "steps": steps,
        "connections": connections,
    }


def make_sparse(keras, sparsity=0.0):
    """A convolution used at 36 positions, and two matrices, one of 10."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, name="conv"),
            layers.Flatten(),
            layers.Dense(5, name="first"),
            layers.Dense(2, name="logits"),
        ]
    )
    return tf_rigl.sparsify(model, sparsity, "uniform")


@support.one_keras("keras")
def test_levels_by_hand(keras):
    model = make_sparse(keras)
    conv, first, logits = (one.path for one in masked_weights(model))
    records = [
        record(0, 100, {conv: 108, first: 720, logits: 10}),
        record(1, 80, {conv: 81, first: 72, logits: 9}),
        {**record(1, 80, {}), "name": "control_reinit_01_0"},
    ]

    costs = search_flops(tf_rigl.profile(model), records)

    # Forward, gradients of activations and of weights: 3 times 2 for each MAC.
    dense = 6 * (36 * 108 + 720 + 10)
    pruned = 6 * (36 * 81 + 72 + 9)
    assert [row.flops_per_step for row in costs.rows] == [dense, pruned]
    assert costs.flops == 100 * dense + 80 * pruned
    assert costs.dense_flops == 100 * dense
    assert costs.dense_trainings == 1 + 0.8 * pruned / dense
    assert not costs.is_lower_bound
    lines = str(costs).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[-4].split()[-1] == f"{1 + 0.8 * pruned / dense:.2f}"


@support.keras_in_turn("sparsity", [0.3, 0.77, 0.9])
def test_a_level_costs_what_its_profile_says(keras, sparsity):
    """Whatever masks the model has when the search is counted."""
    model = make_sparse(keras, sparsity)
    profile = tf_rigl.profile(model)
    connections = support.counts(model)
    now = tf_rigl.profile(make_sparse(keras, 0.5))

    costs = search_flops(now, [record(0, 7, connections)])

    assert costs.flops == 7 * 3 * profile.flops
    assert costs.dense_flops == 7 * 3 * profile.dense_flops


@support.one_keras("keras")
def test_errors(keras):
    model = make_sparse(keras)
    profile = tf_rigl.profile(model)
    counts = support.counts(model)
    for records, message in (
        ([], "0 trained levels"),
        ([record(0, None, counts)], "'level_00' with steps=None"),
        ([record(0, 1, {"other": 3})], r"for records of \['other'\]"),
    ):
        with pytest.raises(ValueError, match=message):
            search_flops(profile, records)
