"""A wide random network has a ReLU neuron in it, the nearer the wider it is."""

import itertools
import statistics

import numpy as np
import pytest

import tf_rigl
from benchmarks import prune_to_neuron
from tests import support

INPUTS = 6


def test_masks_against_all_choices():
    """The two nearest of each input, by trying out every pair."""
    network = prune_to_neuron.draw(inputs=3, units=4, seed=1)
    found = prune_to_neuron.find_subnetwork(network)

    bound = 0
    for index in range(3):
        units = range(8 * index, 8 * index + 8)
        best = min(
            (
                max(
                    abs(
                        float(network.first[index, unit])
                        * float(network.second[unit, 0])
                        - float(network.neuron[index])
                    )
                    for unit in pair
                ),
                pair,
            )
            for pair in itertools.permutations(units, 2)
            if network.first[index, pair[0]] > 0 > network.first[index, pair[1]]
        )
        bound += best[0]
        kept = np.flatnonzero(found.first[index])
        assert set(kept) <= set(units)
        assert len(kept) == 2
        assert network.first[index, kept].min() < 0
        assert network.first[index, kept].max() > 0
    assert found.bound == pytest.approx(bound)
    np.testing.assert_array_equal(found.second[:, 0], found.first.any(axis=0))


def test_a_sign_that_is_not_there():
    network = prune_to_neuron.Network(
        np.array([0.5], "float32"),
        np.array([[0.4, 0.8]], "float32"),
        np.array([[0.5], [0.5]], "float32"),
    )
    found = prune_to_neuron.find_subnetwork(network)
    assert found.first.tolist() == [[False, True]]
    assert found.bound == 0.5  # of x < 0, which nothing stands for


@pytest.mark.slow
@support.one_keras("keras")
def test_error_within_its_bound_and_falling_with_width(keras):
    medians = []
    for units in (16, 64, 256):
        model = prune_to_neuron.build(keras, INPUTS, units)
        errors = []
        for seed in range(5):
            network = prune_to_neuron.draw(INPUTS, units, seed)
            found = prune_to_neuron.prune(model, network)
            assert 0 < found.error <= found.bound + 1e-6
            assert found.connections == 4 * INPUTS
            assert_within(model, network, found.bound)
            errors.append(found.error)
        medians.append(statistics.median(errors))
        assert list(support.counts(model).values()) == [2 * INPUTS] * 2
    assert medians[0] > 3 * medians[1] > 9 * medians[2]


def assert_within(model, network, bound):
    """The bound holds at points that the benchmark does not look at."""
    points = np.random.default_rng(3).uniform(-1, 1, (500, INPUTS))
    outputs = model(points.astype("float32")).numpy()[:, 0]
    expected = np.maximum(points @ network.neuron.astype("float64"), 0)
    assert abs(outputs - expected).max() <= bound + 1e-6


def test_masks_are_those_of_the_library():
    """In the other Keras, too, with zeros in its kernel."""
    keras = support.fresh_keras("tf_keras")
    model = prune_to_neuron.build(keras, 2, 4)
    network = prune_to_neuron.draw(2, 4, seed=0)
    prune_to_neuron.prune(model, network)
    found = prune_to_neuron.find_subnetwork(network)
    masks = list(tf_rigl.masks(model).values())
    np.testing.assert_array_equal(masks[0], found.first)
    values = model.get_weights()[0]
    np.testing.assert_array_equal(
        np.asarray(values), np.where(found.first, network.first, 0)
    )


def test_plot(tmp_path):
    figures = {
        units: {"error": [1 / units, 2 / units], "bound": [3 / units] * 2}
        for units in (4, 16)
    }
    path = tmp_path / "error.png"
    prune_to_neuron.plot(str(path), 8, figures)
    assert path.read_bytes().startswith(b"\x89PNG")
