"""Methods, masks and structures that do not go together, and what is said."""

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tf_rigl.masking.masked_weight import masked_weights


def attach(keras, algorithm, **kwargs):
    arguments = {"sparsity": 0.5, **kwargs}
    model = tf_rigl.sparsify(support.make_mlp(keras, (16,)), **arguments)
    return tf_rigl.attach(keras.optimizers.SGD(0.1), model, algorithm)


@pytest.mark.parametrize(
    ("algorithm", "arguments", "message"),
    [
        (
            tf_rigl.RigL(4),
            {"start": "dense"},
            r"RigL trains a model that is sparse from the start.*`prune`",
        ),
        (
            tf_rigl.GradualPruning(4),
            {},
            r"GradualPruning begins with a dense model.*start='dense'",
        ),
        (tf_rigl.STE(), {}, r"STE begins with a dense model"),
        (
            tf_rigl.SRigL(4),
            {},
            r"SRigL .* needs masks of the structure constant_fan_in.*Unstruct",
        ),
        (
            tf_rigl.SNIP(),
            {"start": "dense", "structure": tf_rigl.Block(2, 2)},
            r"SNIP .* needs masks of the structure unstructured.*Block",
        ),
        (
            tf_rigl.RigL(4, grow_init="initial"),
            {},
            r"needs the initial values.*keep_initial_values=True",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_refused(keras, algorithm, arguments, message):
    with pytest.raises(ValueError, match=message):
        attach(keras, algorithm, **arguments)


def test_without_an_optimizer(keras, tmp_path):
    model = tf_rigl.sparsify(support.make_mlp(keras), 0.8)
    message = r"state is a part of the training.*optimizer=None.*Pass the opt"
    with pytest.raises(ValueError, match=message):
        tf_rigl.training_variables(model)
    with pytest.raises(ValueError, match=message):
        tf_rigl.Checkpoints(tmp_path).save(model, 1)
    with pytest.raises(TypeError, match=r"must be an optimizer.*=None"):
        tf_rigl.attach(None, model, tf_rigl.Static())


def test_fit_refuses_before_the_first_batch(keras):
    model = tf_rigl.sparsify(support.make_mlp(keras), 0.5, start="dense")
    with pytest.raises(ValueError, match="sparse from the start"):
        support.train(keras, model, tf_rigl.RigL())


@support.one_keras("tf_keras")
def test_a_trained_model_is_pruned_and_goes_on_with_rigl(keras):
    model = tf_rigl.sparsify(support.make_mlp(keras), 0.5, start="dense")
    support.train(keras, model, tf_rigl.Static(), 1)
    before = support.counts(tf_rigl.prune(model))
    support.train(keras, model, tf_rigl.RigL(update_interval=3))
    assert support.counts(model) == before
    assert support.moved(model) > 0
    assert support.assert_masked(model) > 0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"start": "sparse"}, ValueError, r"`start` must be one of .*'sparse'"),
        ({"structure": "block"}, TypeError, r"must be None or an object.*blo"),
        (
            {"structure": tf_rigl.NByM(1, 4)},
            ValueError,
            r"leaves 1 of 4 connections.*sparsity=0\.75, distribution='unif",
        ),
        (
            {"structure": tf_rigl.NByM(8, 16), "distribution": "uniform"},
            ValueError,
            r"dense/kernel|16",
        ),
    ],
)
def test_sparsify_refuses(keras, arguments, error, message):
    model = support.make_mlp(keras, (24,), inputs=20)
    with pytest.raises(error, match=message):
        tf_rigl.sparsify(model, 0.5, **arguments)
    assert not tf_rigl.masks(model)


@pytest.mark.parametrize("per", ["layer", "unit"])
def test_scale(keras, per):
    """Pretrained values stay unless they are to be scaled."""
    plain = tf_rigl.sparsify(support.make_mlp(keras), 0.8)
    scaled = tf_rigl.sparsify(
        support.make_mlp(keras), 0.8, options=tf_rigl.SparsifyOptions(scale=per)
    )
    support.assert_same_masks(tf_rigl.masks(plain), tf_rigl.masks(scaled))
    for one, other in zip(
        masked_weights(plain), masked_weights(scaled), strict=True
    ):
        mask = one.mask.numpy()
        factor = np.sqrt(mask.size / mask.sum())
        if per == "unit":
            factor = np.sqrt(mask.shape[0] / np.maximum(mask.sum(0), 1))
        np.testing.assert_allclose(
            other.values().numpy(), one.values().numpy() * factor, rtol=1e-6
        )


def test_start_by_magnitude_keeps_the_largest_weights(keras):
    model = support.make_mlp(keras)
    values = [w for w in model.get_weights() if w.ndim == 2]
    tf_rigl.sparsify(model, 0.8, start="magnitude")
    for record, value in zip(masked_weights(model), values, strict=True):
        assert record.num_active() == record.target
        mask = record.mask.numpy()
        if not mask.all():
            assert abs(value[mask]).min() >= abs(value[~mask]).max()
        np.testing.assert_array_equal(record.values(), np.where(mask, value, 0))


@support.one_keras("keras")
def test_states_of_another_method_go(keras):
    """What only SNFS remembers is dropped when RigL takes over."""
    model = tf_rigl.sparsify(support.make_mlp(keras), 0.8)
    support.train(keras, model, tf_rigl.SNFS(update_interval=3), 1)
    names = {name for w in masked_weights(model) for name in w.state}
    assert "momentum" in names
    support.train(keras, model, tf_rigl.RigL(update_interval=3), 1)
    names = {name for w in masked_weights(model) for name in w.state}
    assert "momentum" not in names


def test_unbuilt_model_is_pruned_before_its_first_batch(keras):
    """The first forward pass is sparse, eager or not."""
    losses = []
    for run_eagerly in (True, False):
        keras.utils.set_random_seed(3)
        model = keras.Sequential(
            [keras.layers.Dense(24, activation="relu"), keras.layers.Dense(10)]
        )
        tf_rigl.sparsify(model, 0.9, start="dense")
        history = support.train(
            keras, model, tf_rigl.STE(), 1, samples=32, run_eagerly=run_eagerly
        )
        losses.append(history.history["loss"][0])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert tf.math.is_finite(losses[0])
