"""The line between two networks, and what is left of walking it: nothing."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tests.tickets.barriers import ALPHAS
from tests.tickets.barriers import POINTS
from tests.tickets.barriers import batches
from tests.tickets.barriers import between
from tests.tickets.barriers import snapshot_of_random
from tests.tickets.barriers import values_of
from tf_rigl.backend.flavor import flavor_of
from tf_rigl.data import mnist
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.models import mlp


def make_model(keras, sparsity=0.0):
    model = support.make_noisy(keras)
    tf_rigl.sparsify(model, sparsity, start="dense")
    optimizer = keras.optimizers.SGD(0.05, momentum=0.9)
    model.compile(optimizer, support.crossentropy(keras), metrics=["accuracy"])
    return model


def train(model, epochs=1, seed=0):
    inputs, labels = support.make_data((20,), 128, classes=10, seed=seed)
    model.fit(
        inputs,
        labels,
        batch_size=32,
        epochs=epochs,
        verbose=0,
        callbacks=[tf_rigl.UpdateMasks(tf_rigl.Static())],
    )


def state_of(model):
    """All that must be as before, by an own way to it."""
    flavor = flavor_of(model)
    variables = (
        *model.variables,
        *flavor.random_state(model),
        *flavor.optimizer_state(model.optimizer),
    )
    return [
        *(np.array(flavor.raw(variable).numpy()) for variable in variables),
        *tf_rigl.masks(model).values(),
    ]


@support.keras_in_turn("sparsity", [0.0, 0.5])
def test_weights_on_the_way(keras, sparsity):
    model = make_model(keras, sparsity)
    tf_rigl.prune(model)
    first, second = (snapshot_of_random(model, seed) for seed in (1, 2))
    seen = []

    def evaluate(model):
        seen.append(tf_rigl.Snapshot.of(model))
        support.assert_masked(model)
        return [0.1, 0.2, 0.9, 0.9, 0.3][len(seen) - 1]

    barrier = tf_rigl.error_barrier(model, first, second, evaluate, POINTS)

    for alpha, found in zip(ALPHAS, seen, strict=True):
        expected = between(first, second, alpha)
        for one, other in zip(found.weights.values(), expected, strict=True):
            np.testing.assert_array_equal(one, other)
    support.assert_all_equal(seen[-1].weights.values(), second.weights.values())
    np.testing.assert_array_equal(barrier.alphas, ALPHAS)
    np.testing.assert_array_equal(barrier.errors, [0.1, 0.2, 0.9, 0.9, 0.3])
    assert barrier.height == pytest.approx(0.7)
    assert barrier.alpha == 0.5
    assert str(barrier).splitlines()[0] == (
        "Error barrier: 0.7 above the mean of both ends"
    )
    assert "highest" in str(barrier)


@support.one_keras("tf_keras")
def test_masks_on_the_way(keras):
    """Equal masks stay; different ones open to those of either network.

    Whatever masks the model itself has then.
    """
    model = make_model(keras)
    ends, masks = [], []
    for seed in (1, 2):
        tf_rigl.prune(model, "random", amount=0.5, seed=seed)
        masks.append(tf_rigl.masks(model))
        ends.append(snapshot_of_random(model, seed))
        tf_rigl.set_masks(
            model, {path: np.ones_like(one) for path, one in masks[0].items()}
        )
    tf_rigl.prune(model, "random", amount=0.9, seed=3)
    own = tf_rigl.masks(model)

    def supports(first, second):
        found = []

        def evaluate(model):
            weights = tf_rigl.Snapshot.of(model).weights
            found.append({path: weights[path] != 0 for path in own})
            return 0

        tf_rigl.error_barrier(model, first, second, evaluate, 3)
        return found

    for found in supports(ends[0], ends[0]):
        support.assert_same_masks(found, masks[0])
    start, middle, end = supports(*ends)
    support.assert_same_masks(start, masks[0])
    support.assert_same_masks(end, masks[1])
    for path, mask in middle.items():
        np.testing.assert_array_equal(mask, masks[0][path] | masks[1][path])
    support.assert_same_masks(tf_rigl.masks(model), own)


@support.keras_in_turn("raises", [True, False])
def test_all_is_as_before(keras, raises):
    """Also the slots of an optimizer that is attached, which masks guard."""
    model = make_model(keras)
    start = tf_rigl.Snapshot.of(model)
    train(model)
    tf_rigl.prune(model, amount=0.4)
    train(model)
    tf_rigl.attach(model.optimizer, model, tf_rigl.Static())
    targets = [one.target for one in masked_weights(model)]
    before = state_of(model)
    assert any(map(np.any, map(np.asarray, model.optimizer.momentums)))

    def evaluate(model):
        if raises and not np.array_equal(state_of(model)[0], before[0]):
            raise ZeroDivisionError
        return 0.5

    end = tf_rigl.Snapshot.of(model)
    arguments = (model, start, end, evaluate, 3)
    if raises:
        with pytest.raises(ZeroDivisionError):
            tf_rigl.error_barrier(*arguments)
    else:
        # Both without the connections that the model has.
        nothing = dataclasses.replace(
            end,
            weights={
                path: np.zeros_like(value)
                for path, value in end.weights.items()
            },
        )
        tf_rigl.error_barrier(model, nothing, nothing, evaluate, 3)
        data = [support.make_data((20,), 32)]
        barrier = tf_rigl.error_barrier(*arguments, refresh=data)
        assert barrier.height == 0

    support.assert_all_equal(state_of(model), before)
    assert [one.target for one in masked_weights(model)] == targets
    support.assert_masked(model)


@support.one_keras("tf_keras")
def test_a_network_and_itself(keras):
    """Dropout before normalization draws the same at each point."""
    layers = keras.layers
    if keras.__name__ == "tf_keras":
        keras.backend.experimental.enable_tf_random_generator()
    model = keras.Sequential(
        [
            keras.Input((20,)),
            layers.Dropout(0.3, seed=1),
            layers.Dense(16, "relu"),
            layers.BatchNormalization(),
            layers.Dense(10),
        ]
    )
    tf_rigl.sparsify(model, 0.5)
    model.compile("sgd", support.crossentropy(keras), metrics=["accuracy"])
    train(model, epochs=3)
    one = tf_rigl.Snapshot.of(model)
    inputs, labels = support.make_data((20,), 128, classes=10)
    found = []

    def loss(model):
        found.append(values_of(model))
        return model.evaluate(inputs, labels, verbose=0)[0]

    for data in (None, batches((20,))):
        barrier = tf_rigl.error_barrier(model, one, one, loss, 4, data)
        assert barrier.height == 0
        assert barrier.alpha == 0
        assert len(set(barrier.errors)) == 1
    np.testing.assert_array_equal(found[4][4], found[7][4])
    assert np.any(found[0][4] != found[4][4])


def lenet(keras, seed):
    keras.utils.set_random_seed(seed)
    model = mlp.lenet_300_100(keras)
    model.compile(
        keras.optimizers.Adam(3e-3),
        support.crossentropy(keras),
        metrics=["accuracy"],
    )
    return model


@pytest.mark.slow
@support.one_keras("keras")
def test_lenets_of_one_and_of_two_initializations(keras):
    """LeNet is stable from the first step (arXiv:1912.05671, figure 3)."""
    data = mnist.load()
    images, test_images = (
        one.astype("float32") / 255
        for one in (data.train_images[:5000], data.test_images)
    )

    model = lenet(keras, 0)
    start = tf_rigl.Snapshot.of(model)
    another = tf_rigl.Snapshot.of(lenet(keras, 1))
    ends = []
    for begin, order in ((start, 1), (start, 2), (another, 3)):
        begin.restore(model)
        keras.utils.set_random_seed(order)
        model.fit(images, data.train_labels[:5000], 128, 5, verbose=0)
        ends.append(tf_rigl.Snapshot.of(model))

    def error(model):
        results = model.evaluate(
            test_images, data.test_labels, 1000, verbose=0, return_dict=True
        )
        return 100 * (1 - results["accuracy"])

    of_one = tf_rigl.error_barrier(model, ends[0], ends[1], error, 7)
    of_two = tf_rigl.error_barrier(model, ends[0], ends[2], error, 7)
    print(of_one, of_two, sep="\n")
    assert max(of_one.errors[0], of_two.errors[-1]) < 10
    assert of_one.height < 2
    assert of_two.height > 5
    assert 0 < of_two.alpha < 1


@support.one_keras("keras")
def test_nothing_is_traced_for_a_point(keras):
    traces = []

    class Traced(keras.layers.Layer):
        def call(self, inputs, training=False):
            traces.append(training)
            return inputs

    model = keras.Sequential(
        [
            keras.Input((20,)),
            Traced(),
            keras.layers.Dense(10, name="logits"),
            keras.layers.BatchNormalization(),
        ]
    )
    model.compile("sgd", support.crossentropy(keras))
    one, other = (snapshot_of_random(model, seed) for seed in (1, 2))
    inputs, labels = support.make_data((20,), 64, classes=10)
    counts = []

    def loss(model):
        found = model.evaluate(inputs, labels, batch_size=64, verbose=0)
        counts.append(len(traces))
        return found

    data = batches((20,), (32, 32))
    tf_rigl.error_barrier(model, one, other, loss, 6, data)
    assert len(counts) == 6
    assert len(set(counts)) == 1
    assert True in traces


@support.keras_in_turn("is_sparse", [True, False])
def test_two_replicas(keras, two_replicas, is_sparse):
    """The same as on one device, and all replicas as before."""
    data = batches((20,))
    found = []
    for scope in (two_replicas.scope, tf.init_scope):
        support.fresh_keras(keras.__name__)
        with scope():
            model = make_model(keras, 0.5 if is_sparse else 0.0)
            tf_rigl.prune(model)
            ends = [snapshot_of_random(model, seed) for seed in (1, 2)]
            if scope is not tf.init_scope:
                set_apart(model)
                before = on_replicas(model)

            def evaluate(model):
                found.append(values_of(model))
                return 0

            tf_rigl.error_barrier(model, *ends, evaluate, 3, data)
            if scope is not tf.init_scope:
                support.assert_all_equal(on_replicas(model), before)
    for one, other in zip(found[:3], found[3:], strict=True):
        for value, expected in zip(one, other, strict=True):
            np.testing.assert_allclose(value, expected, rtol=1e-6)


def set_apart(model):
    """Gives averages other values on each replica, as training does."""
    moving = flavor_of(model).raw(model.get_layer("normalization").moving_mean)
    for number, part in enumerate(moving.values):
        part.assign(part + number)


def on_replicas(model):
    raw = flavor_of(model).raw
    return [
        np.array(part.numpy())
        for variable in model.variables
        for part in getattr(raw(variable), "values", (raw(variable),))
    ]


@support.one_keras("keras")
def test_errors(keras, tmp_path):
    model = make_model(keras)
    one = tf_rigl.Snapshot.of(model)
    other = tf_rigl.Snapshot.of(support.make_mlp(keras))
    before = state_of(model)
    dataset = tf.data.Dataset.from_tensor_slices(np.ones((4, 20), "float32"))

    def call(first=one, second=one, result=0.5, **arguments):
        tf_rigl.error_barrier(
            model, first, second, lambda model: result, **arguments
        )

    for arguments, error, message in (
        ({"points": 2}, ValueError, "points=2"),
        ({"points": 9.0}, ValueError, "points=9.0"),
        ({"first": other}, ValueError, "Received: first, in which"),
        ({"second": other}, ValueError, "Received: second, in which"),
        ({"second": "end.npz"}, TypeError, r"by `Snapshot.load\(path\)`"),
        ({"result": [0.1, 0.2]}, TypeError, r"Received: \[0.1, 0.2\]"),
        ({"refresh": []}, ValueError, "`refresh` must have batches"),
        ({"refresh": np.ones(3)}, TypeError, "Pass a tf.data.Dataset"),
        ({"refresh": 3}, TypeError, "Pass a tf.data.Dataset"),
        ({"refresh": iter([1])}, ValueError, "can be read once"),
        (
            {"refresh": dataset.batch(2).repeat()},
            ValueError,
            "which never ends",
        ),
    ):
        with pytest.raises(error, match=message):
            call(**arguments)
    support.assert_all_equal(state_of(model), before)
