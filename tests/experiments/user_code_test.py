import sys

import numpy as np
import pytest

from tests.experiments.runs import support
from tf_rigl.data import arrays
from tf_rigl.data.batching import Batching
from tf_rigl.experiments import user_code

MODULE = """
import numpy as np

number = 3


def build(keras, classes, units=8):
    layers = [keras.Input((20,)), keras.layers.Dense(units, name="first")]
    return keras.Sequential([*layers, keras.layers.Dense(classes)])


def softmax(keras, classes):
    return keras.Sequential(
        [keras.Input((20,)), keras.layers.Dense(classes, "softmax")]
    )


def needs(keras, depth):
    return None


def nothing(keras):
    return None


def data(data_dir):
    inputs = np.random.default_rng(0).normal(size=(96, 20))
    labels = inputs[:, :4].argmax(1)
    return (inputs[:64], labels[:64, None]), (inputs[64:], labels[64:])


def one_pair():
    return np.zeros((3, 3)), np.zeros(3, int)
"""
OWN = ("--model=own_module:build", "--data=own_module:data", "--batch_size=16")


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    """A module in the working directory, which is not on the path."""
    (tmp_path / "own_module.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    sys.modules.pop("own_module", None)
    user_code.load_arrays.cache_clear()


def test_trained_and_compared(tmp_path):
    output = support.train_in(tmp_path / "run", *OWN, "--compare_dense")
    assert "own_module:build on own_module:data" in output
    assert "RigL 90 %" in output
    assert "SavedModel loaded back, matches" in output


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("own_module:biuld", r"can be imported.*'own_module:biuld'.*biuld"),
        ("no_such_module:build", r"No module named 'no_such_module'"),
        ("own_module:number", r"must name a function\. Rec.*is a int"),
        ("own_module:needs", r"needs no other arguments.*needs \['depth'\]"),
        ("own_module:nothing", r"returns a model of `keras`.*NoneType"),
        ("own_module:softmax", r"returns logits.*'dense'.* is a softmax"),
    ],
)
def test_refused_networks(model, message):
    import keras

    keras.backend.clear_session()
    with pytest.raises(ValueError, match=message):
        user_code.build_network(model, keras, classes=4)


def test_another_number_of_classes():
    import keras

    keras.backend.clear_session()
    with pytest.raises(ValueError, match=r"each of the 5 classes.*\(None, 4\)"):
        user_code.build_network(
            "tests.experiments.user_code_test:four_outputs", keras, classes=5
        )


def four_outputs(keras):
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(4)])


def test_refused_data():
    with pytest.raises(ValueError, match=r"returns \(\(inputs, labels\)"):
        user_code.load_arrays("own_module:one_pair", None)


@pytest.mark.parametrize(
    "labels", [np.zeros(3, int), np.zeros(2), np.zeros((2, 2), int), [-1, 0]]
)
def test_refused_arrays(labels):
    right = arrays.Arrays(np.zeros((2, 3)), np.array([0, 1]))
    wrong = arrays.Arrays(np.zeros((2, 3)), labels)
    with pytest.raises(ValueError, match="`evaluation` must be arrays of inp"):
        arrays.describe(right, wrong)


def test_batches_of_arrays():
    inputs = np.arange(12.0)[:, None]
    pair = arrays.Arrays(inputs, np.arange(12) % 3)
    splits = arrays.splits(Batching(4, seed=1), pair, pair)
    assert splits.info == (12, 12, 3, (1,))
    epochs = [
        np.concatenate([batch[:, 0] for batch, _ in splits.train])
        for _ in range(2)
    ]
    assert (epochs[0] != epochs[1]).any()
    for batch, labels in splits.train:
        assert batch.dtype == "float32"
        np.testing.assert_array_equal(batch[:, 0].numpy() % 3, labels)
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), inputs[:, 0])
