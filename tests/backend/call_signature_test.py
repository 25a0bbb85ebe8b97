"""Specifications of a call: structure, names and batch size."""

import keras
import pytest
import tensorflow as tf

from tf_rigl.backend import call_signature as signatures

CALL = signatures.CallSignature(
    (
        {"b": tf.TensorSpec([None, 2]), "a": tf.TensorSpec([3], name="x:0")},
        [tf.TensorSpec([None]), None, tf.TensorSpec([], tf.int32)],
    ),
    {"mask": tf.TensorSpec([None, 2], tf.bool), "training": False},
)


def test_names_and_places():
    named = signatures.named_leaves(CALL)
    assert list(named) == ["x_0", "0_b", "1_0", "1_2", "mask"]
    flat = [one for one in tf.nest.flatten(tuple(CALL)) if one is not None]
    assert list(named.values()) == [one for one in flat if one is not False]
    arguments, keywords = signatures.pack_arguments(CALL, range(5))
    assert arguments == ({"a": 0, "b": 1}, [2, None, 3])
    assert keywords == {"mask": 4, "training": False}


def test_equal_names_are_numbered():
    spec = tf.TensorSpec([None], name="x")
    call = signatures.CallSignature(([spec, spec],), {})
    assert list(signatures.named_leaves(call)) == ["x", "x_1"]


def test_fix_batch():
    fixed = signatures.fix_batch(CALL, 7)
    assert fixed.arguments[0]["b"].shape == (7, 2)
    assert fixed.arguments[1][2].shape == ()
    assert fixed.keywords["mask"].shape == (7, 2)
    assert fixed.keywords["training"] is False


@pytest.fixture(scope="module")
def model():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])


@pytest.mark.parametrize(
    "inputs",
    [None, (8, 4), tf.zeros((8, 4)), tf.TensorSpec([8, 4])],
    ids=["remembered", "shape", "tensor", "specification"],
)
def test_batch_size_is_open(model, inputs):
    (spec,) = signatures.call_signature(model, inputs).arguments
    assert spec.shape.as_list() == [None, 4]
    example = signatures.one_example(model, inputs)
    assert example.arguments[0].shape == (1, 4)


@pytest.mark.parametrize("inputs", [5, "text", {"inputs": 5}], ids=repr)
@pytest.mark.parametrize(
    "specify", [signatures.call_signature, signatures.one_example]
)
def test_inputs_that_are_none(model, specify, inputs):
    with pytest.raises(TypeError, match="`inputs` must be made of"):
        specify(model, inputs)
