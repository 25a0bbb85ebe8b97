"""Masked weights stay masked, whichever optimizers train the model."""

import importlib

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tf_rigl.masking.constraint import constraint_of
from tf_rigl.masking.masked_weight import masked_weights

RIGL = tf_rigl.RigL(stop_step=100, update_interval=2)


def own_loop(keras, number):
    """A model of so many networks, each with an optimizer of `train_step`."""

    class OwnLoop(keras.Model):
        def __init__(self):
            super().__init__()
            self.networks = [
                support.make_mlp(keras, (24,)) for _ in range(number)
            ]
            self.hidden = None

        def compile(self, optimizers, hide=False):
            super().compile()  # Keras makes an optimizer, which takes no step.
            self.hidden = lambda: optimizers
            if not hide:
                self.own = optimizers

        def call(self, inputs):
            return self.networks[0](inputs)

        def train_step(self, data):
            loss_function = support.crossentropy(keras)
            for network, optimizer in zip(
                self.networks, self.hidden(), strict=True
            ):
                with tf.GradientTape() as tape:
                    loss = loss_function(data[1], network(data[0]))
                weights = network.trainable_weights
                optimizer.apply_gradients(
                    zip(tape.gradient(loss, weights), weights, strict=True)
                )
            return {"loss": loss}

    model = OwnLoop()
    for network in model.networks:
        tf_rigl.sparsify(network, 0.8)
    return model


def train(model, algorithm=RIGL):
    data = support.make_data((20,), 64)
    return support.fit(model, data, algorithm, batch_size=16)


@pytest.mark.parametrize("number", [1, 2])
def test_optimizers_of_train_step(keras, number):
    """One that is not the model's own, or two, each with a part."""
    model = own_loop(keras, number)
    optimizers = [
        keras.optimizers.Adam(0.01),
        keras.optimizers.SGD(0.1, momentum=0.9),
    ][:number]
    model.compile(optimizers)
    before = [support.counts(network) for network in model.networks]
    train(model)
    for network, optimizer, counts in zip(
        model.networks, optimizers, before, strict=True
    ):
        assert support.assert_masked(network, optimizer) > 0
        assert support.moved(network) > 0
        assert support.counts(network) == counts


@support.one_keras("keras")
def test_an_optimizer_that_fit_cannot_find(keras):
    """It trains a static sparse model, and that is said."""
    model = own_loop(keras, 1)
    optimizers = [keras.optimizers.Adam(0.01)]
    model.compile(optimizers, hide=True)
    before = tf_rigl.masks(model.networks[0])
    with pytest.warns(UserWarning) as told:
        train(model)
    messages = " ".join(str(one.message) for one in told)
    assert "'rigl' is not attached to" in messages
    assert "have taken no step" in messages
    support.assert_masked(model.networks[0], slots_too=False)
    support.assert_same_masks(tf_rigl.masks(model.networks[0]), before)

    for optimizer in optimizers:
        tf_rigl.attach(optimizer, model.networks[0], RIGL)
    model.compile(optimizers, hide=True)
    train(model, None)
    assert support.assert_masked(model.networks[0], optimizers[0]) > 0
    assert support.moved(model.networks[0]) > 0


@support.one_keras("keras")
@pytest.mark.parametrize("compiled", [False, True])
def test_two_attached_optimizers(keras, compiled):
    """Each has one layer of a model."""
    model = tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.8)
    optimizers = [keras.optimizers.Adam(0.01), keras.optimizers.SGD(0.1)]
    parts = [layer.trainable_weights for layer in model.layers]
    for optimizer, part in zip(optimizers, parts, strict=True):
        optimizer.build(part)
        tf_rigl.attach(optimizer, model, RIGL)
    loss_function = support.crossentropy(keras)

    def step(inputs, labels):
        with tf.GradientTape(persistent=True) as tape:
            loss = loss_function(labels, model(inputs))
        for optimizer, part in zip(optimizers, parts, strict=True):
            gradients = tape.gradient(loss, part)
            optimizer.apply_gradients(zip(gradients, part, strict=True))

    if compiled:
        step = tf.function(step)
    for inputs, labels in support.batches(128):
        step(inputs, labels)
    for optimizer, weight in zip(
        optimizers, masked_weights(model), strict=True
    ):
        support.assert_masked(model, optimizer)
        assert int(weight.counters.numpy()[1]) > 0
    tf_rigl.detach(optimizers[0], model)
    tf_rigl.strip(model)


@support.one_keras("tf_keras")
def test_a_new_optimizer_after_attach(keras):
    """Nothing is dense: the constraint is there while a method is."""
    model = tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.8)
    tf_rigl.attach(keras.optimizers.SGD(0.1), model, RIGL)
    for weight in masked_weights(model):
        assert constraint_of(weight.variable) is not None
    before = tf_rigl.masks(model)
    with pytest.warns(UserWarning, match="'rigl' is not attached to"):
        support.train(keras, model, None, 1, keras.optimizers.Adam(0.01))
    support.assert_masked(model, slots_too=False)
    support.assert_same_masks(tf_rigl.masks(model), before)


def test_replicas_put_the_constraint_back(two_replicas):
    keras = importlib.import_module("tf_keras")
    with two_replicas.scope():
        model = tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.8)
        own = keras.optimizers.SGD(0.1)
        support.train(keras, model, RIGL, 1, own)
    assert support.moved(model) > 0
    for weight in masked_weights(model):
        assert constraint_of(weight.variable) is not None
    support.train(keras, model, None, 1, own)
    support.assert_masked(model, slots_too=False)


@pytest.mark.parametrize("frozen", [["dense"], ["dense", "dense_1"]])
def test_frozen_layers_are_static(keras, frozen):
    model = tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.8)
    for layer, name in zip(model.layers, ("dense", "dense_1"), strict=True):
        layer.trainable = name not in frozen
    weights = masked_weights(model)
    before = [
        (weight.mask.numpy(), weight.values().numpy()) for weight in weights
    ]
    support.train(keras, model, RIGL, 1)
    for layer, weight, (mask, values) in zip(
        model.layers, weights, before, strict=True
    ):
        stays = np.array_equal(weight.mask.numpy(), mask)
        assert stays == (not layer.trainable)
        stays = np.array_equal(weight.values().numpy(), values)
        assert stays == (not layer.trainable)
        assert int(weight.mask.numpy().sum()) == int(mask.sum())

    for layer in model.layers:
        layer.trainable = True
    support.train(keras, model, RIGL, 1)
    assert all(int(weight.counters.numpy()[1]) for weight in weights)
    support.assert_masked(model)


@support.one_keras("keras")
def test_a_frozen_backbone_under_a_new_head(keras):
    backbone = tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.8)
    backbone.trainable = False
    model = keras.Sequential([backbone, keras.layers.Dense(3)])
    model.build((None, 20))
    values = [weight.values().numpy() for weight in masked_weights(model)]
    support.train(keras, model, RIGL, 1)
    support.assert_all_equal(
        [weight.values().numpy() for weight in masked_weights(model)], values
    )


@support.one_keras("tf_keras")
def test_two_callbacks_are_refused(keras):
    model = tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.8)
    another = [tf_rigl.UpdateMasks(tf_rigl.Static())]
    model.compile("sgd", support.crossentropy(keras))
    data = support.make_data((20,), 64)
    with pytest.raises(ValueError, match="two callbacks `UpdateMasks`"):
        support.fit(model, data, RIGL, another)
    support.fit(model, data, RIGL)
    support.assert_masked(model)


def test_no_optimizer():
    """Keras 2 has its own error."""
    keras = importlib.import_module("keras")
    model = own_loop(keras, 1)
    keras.Model.compile(model, optimizer=None)
    with pytest.raises(ValueError, match=r"without an optimizer.*\.attach"):
        train(model)


@support.one_keras("tf_keras")
def test_optimizers_in_nested_containers(keras):
    model = own_loop(keras, 1)
    optimizer = keras.optimizers.Adam(0.01)
    model.compile([optimizer], hide=True)
    model.parts = {"a": [{"network": model.networks[0], "by": (optimizer,)}]}
    train(model)
    assert support.moved(model.networks[0]) > 0


@support.one_keras("keras")
def test_a_constraint_sees_masked_weights(keras):
    """So that static training is the same with and without the callback."""

    def trained(algorithm):
        keras.utils.set_random_seed(0)
        layer = keras.layers.Dense(
            10, kernel_constraint=keras.constraints.UnitNorm()
        )
        model = keras.Sequential([keras.Input((20,)), layer])
        tf_rigl.sparsify(model, 0.8)
        optimizer = keras.optimizers.SGD(0.1)
        support.train(keras, model, algorithm, 2, optimizer)
        return layer.kernel.numpy()

    plain = trained(None)
    np.testing.assert_allclose(
        np.linalg.norm(plain, axis=0), np.ones(10), rtol=1e-5
    )
    np.testing.assert_array_equal(plain, trained(tf_rigl.Static()))


@support.one_keras("keras")
def test_an_attribute_that_trains_something_else(keras):
    """An optimizer that is built for other weights is left alone."""
    model = tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.8)
    model.other = keras.optimizers.Adagrad(0.1)
    model.other.build(
        [tf.Variable(1.0)]
        if keras.__name__ == "tf_keras"
        else [keras.Variable(1.0)]
    )
    support.train(keras, model, RIGL, 1)
    assert "update_step" not in vars(model.other)
    assert support.moved(model) > 0


@support.one_keras("tf_keras")
def test_pruning_that_falls_short_says_so(keras):
    model = tf_rigl.sparsify(support.make_mlp(keras), 0.8, start="dense")
    algorithm = tf_rigl.GradualPruning(100, update_interval=2)
    with pytest.warns(
        UserWarning, match="not reached the target.* and 8 steps"
    ):
        support.train(keras, model, algorithm, 1)
