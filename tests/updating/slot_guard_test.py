"""Slots that are written while an optimizer is attached, and other masks."""

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tf_rigl.masking.masked_weight import masked_weights

RIGL = tf_rigl.RigL(90, 7)


def make_optimizer(keras):
    return keras.optimizers.Adam(0.1)


def take_steps(model, optimizer, steps=3):
    """Compiled steps with gradients everywhere."""
    random = np.random.default_rng(0)

    @tf.function
    def step(gradients):
        weights = model.trainable_variables
        optimizer.apply_gradients(zip(gradients, weights, strict=True))

    for _ in range(steps):
        step(
            [
                tf.constant(random.normal(size=tuple(w.shape)), w.dtype)
                for w in model.trainable_variables
            ]
        )


def attached(keras, built=True):
    model = tf_rigl.sparsify(support.make_mlp(keras, (30,)), 0.5)
    optimizer = make_optimizer(keras)
    if built:
        optimizer.build(model.trainable_variables)
    tf_rigl.attach(optimizer, model, RIGL)
    return model, optimizer


@pytest.mark.parametrize("built", [True, False])
def test_the_state_of_a_dense_model_is_restored(keras, tmp_path, built):
    """As where training goes on sparse; slots that are made later, too."""
    dense, optimizer = support.make_mlp(keras, (30,)), make_optimizer(keras)
    take_steps(dense, optimizer)
    path = tf.train.Checkpoint(optimizer=optimizer).save(tmp_path / "dense")

    model, optimizer = attached(keras, built)
    tf.train.Checkpoint(optimizer=optimizer).restore(path)
    take_steps(model, optimizer)
    assert int(np.asarray(optimizer.iterations)) == 6
    support.assert_masked(model, optimizer)


@pytest.mark.parametrize("how", ["arrays", "set_mask"])
def test_another_mask_comes_while_attached(keras, how):
    """The momentum of what it masks does not go on."""
    model, optimizer = attached(keras)
    take_steps(model, optimizer)
    record = masked_weights(model)[0]
    mask = np.roll(record.mask.numpy(), 1, axis=0)
    if how == "arrays":
        other = tf_rigl.sparsify(support.make_mlp(keras, (30,)), 0.5, seed=1)
        mask = masked_weights(other)[0].mask.numpy()
        model.set_weights(other.get_weights())
    else:
        record.set_mask(mask)
    support.assert_masked(model, optimizer)

    take_steps(model, optimizer)
    np.testing.assert_array_equal(record.mask, mask)
    support.assert_masked(model, optimizer)


@support.one_keras("tf_keras")
def test_slots_are_the_user_s_again_after_detach(keras):
    model, optimizer = attached(keras)
    tf_rigl.detach(optimizer, model)
    shape = tuple(model.layers[0].kernel.shape)
    slot = next(v for v in optimizer.variables if tuple(v.shape) == shape)
    slot.assign(tf.ones(shape))
    assert np.asarray(slot).all()


@support.keras_in_turn("what", ["dense", "sparse"])
def test_checkpoints_under_several_replicas(
    keras, what, two_replicas, tmp_path
):
    """TensorFlow restores the variables of each replica by other ways."""
    with two_replicas.scope():
        first = support.make_mlp(keras, (30,))
        if what == "sparse":
            tf_rigl.sparsify(first, 0.5, seed=1)
        state = make_optimizer(keras)
        state.build(first.trainable_variables)
        for one in state.variables:
            if len(one.shape):
                one.assign(tf.ones(one.shape, one.dtype))
        saved = tf.train.Checkpoint(model=first, optimizer=state)
        path = saved.save(tmp_path / "first")

        model, optimizer = attached(keras)
        tf.train.Checkpoint(model=model, optimizer=optimizer).restore(path)

    for record in masked_weights(model):
        mask = record.mask.numpy()
        for component in two_replicas.experimental_local_results(
            record.storage.variable
        ):
            values = np.asarray(tf.convert_to_tensor(component))
            np.testing.assert_array_equal(values != 0, mask)
    support.assert_masked(model, optimizer)
    if what == "sparse":
        support.assert_same_masks(tf_rigl.masks(model), tf_rigl.masks(first))
        support.assert_all_equal(model.get_weights(), first.get_weights())
