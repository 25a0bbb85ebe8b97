import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from bin import tpu_smoke
from tests import support
from tf_rigl.masking.masked_weight import masked_weights

PROGRAM = pathlib.Path(tpu_smoke.__file__)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "strategy"),
    [
        (["--strategy=mirrored", "--devices=2"], "MirroredStrategy, 2 repl"),
        (["--strategy=one_device", "--keras=keras2"], ", 1 replica"),
        (["--strategy=one_device", "--keras=keras3"], ", 1 replica"),
    ],
)
def test_trains(arguments, strategy, tmp_path):
    output = support.run_python(PROGRAM, *arguments, cwd=tmp_path)
    assert strategy in output
    assert output.count(": right") == 5
    assert "All masks are right." in output


@pytest.mark.slow
def test_without_a_tpu_it_says_so(tmp_path):
    done = support.start_python(PROGRAM, cwd=tmp_path)
    assert done.returncode == 1
    assert "needs a TPU" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def weight():
    """A weight as two mask updates leave it."""
    return make_weight()


def make_weight():
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(8)])
    tf_rigl.sparsify(model, 0.5)
    [weight] = masked_weights(model)
    weight.counters.assign([2, 5, 0])
    return weight


def problems(weight):
    return tpu_smoke.problems(tf.distribute.get_strategy(), weight)


def test_a_right_weight_has_no_problems(weight):
    assert problems(weight) == ""


def one_more(weight):
    mask = weight.mask.numpy()
    mask.flat[np.flatnonzero(~mask)[0]] = True
    weight.set_mask(mask)


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (one_more, "32 connections were allotted"),
        (lambda w: w.counters.assign([1, 5, 1]), "1 mask updates and 1 left"),
        (lambda w: w.counters.assign([2, 0, 0]), "no connection moved"),
        (lambda w: w.storage.variable.assign(tf.ones((8, 8))), "not zero wher"),
        (lambda w: w.variable.assign(w.values() / 0.0), "not finite"),
    ],
)
def test_what_is_wrong_is_found(weight, spoil, problem):
    spoil(weight)
    assert problem in problems(weight)


def test_replicas_that_differ_are_found(two_replicas):
    with two_replicas.scope():
        weight = make_weight()
    assert tpu_smoke.problems(two_replicas, weight) == ""
    _, mask = weight.storage.variables
    _, second = two_replicas.experimental_local_results(mask)
    second.assign(~second)
    assert tpu_smoke.problems(two_replicas, weight) == "replicas differ"
