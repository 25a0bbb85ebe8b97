import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tests.wann import evolved
from tf_rigl import wann
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.wann import activations


@pytest.fixture(name="keras")
def keras_fixture(request):
    return support.fresh_keras(request.param)


def make_all():
    """A network with a node of each activation, and one behind them all."""
    random = np.random.default_rng(1)
    hidden = list(range(7, 18))
    edges = [
        *((int(random.integers(5)), node) for node in hidden[:-1]),
        *((1, node) for node in hidden[:-1] if node % 2),
        *((node, hidden[-1]) for node in hidden[:-1]),
        *((node, 5 + node % 2) for node in hidden),
        (0, 5),
        (2, 6),
    ]
    sources, destinations = np.array(sorted(set(edges))).T
    return wann.Genome(
        nodes=np.arange(18),
        kinds=[0, 1, 1, 1, 1, 2, 2, *[3] * 11],
        functions=[*[1] * 7, *activations.ALL, 5],
        innovations=np.arange(len(sources)),
        sources=sources,
        destinations=destinations,
        weights=random.normal(size=len(sources)),
        enabled=random.random(len(sources)) < 0.9,
    )


def inputs_of(one, count=16):
    random = np.random.default_rng(0)
    return random.normal(size=(count, one.inputs)).astype("float32")


def expected(one, weight, inputs):
    return [evolved.oracle(one, row, weight) for row in inputs]


@support.keras_in_turn("weight", [-1.5, None])
def test_has_the_outputs_of_the_network(keras, weight):
    one = make_all()
    model = wann.to_keras(one, keras, weight=weight)
    inputs = inputs_of(one)
    np.testing.assert_allclose(
        model(inputs), expected(one, weight, inputs), rtol=2e-4, atol=2e-4
    )


@support.one_keras("keras")
def test_trains_present_connections_only(keras, tmp_path):
    one = make_all()
    model = wann.to_keras(one, keras, weight=0.5)
    before = tf_rigl.masks(model)
    count = sum(int(mask.sum()) for mask in before.values())
    assert 0 < count <= one.connections
    values = [weight.values().numpy() for weight in masked_weights(model)]

    inputs = inputs_of(one)
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse")
    model.fit(inputs, inputs[:, :2], epochs=2, batch_size=8, verbose=0)
    support.assert_masked(model, slots_too=False)
    after = [weight.values().numpy() for weight in masked_weights(model)]
    assert any(
        map(np.any, (a != b for a, b in zip(values, after, strict=True)))
    )
    support.assert_all_equal(tf_rigl.masks(model).values(), before.values())

    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.models.load_model(path)
    np.testing.assert_array_equal(loaded(inputs), model(inputs))
    support.assert_same_masks(tf_rigl.masks(loaded), before)


@support.one_keras("tf_keras")
def test_exports(keras, tmp_path):
    one = make_all()
    model = wann.to_keras(one, keras, weight=0.5)
    inputs = tf.constant(inputs_of(one))
    tf_rigl.export_saved_model(model, tmp_path / "packed")
    loaded = tf.saved_model.load(str(tmp_path / "packed"))
    served = loaded.serve(inputs)
    np.testing.assert_allclose(served, model(inputs), rtol=1e-6, atol=1e-6)
    profile = tf_rigl.profile(model)
    assert profile.nonzeros == sum(
        int(mask.sum()) for mask in tf_rigl.masks(model).values()
    )


@support.one_keras("tf_keras")
def test_frozen(keras):
    one = make_all()
    model = wann.to_keras(one, keras, weight=0.5, trainable=False)
    assert not model.trainable_weights
    assert tf_rigl.masks(model)


@support.one_keras("keras")
def test_a_silent_network(keras):
    """An output that nothing leads to is 0, and stays so in training."""
    one = evolved.evolve(4, 2, steps=0)
    one = one.replace(enabled=one.destinations == one.nodes[-1])
    model = wann.to_keras(one, keras, weight=2.0)
    inputs = inputs_of(one)
    np.testing.assert_allclose(
        model(inputs), expected(one, 2.0, inputs), rtol=1e-5
    )
    model.compile("sgd", "mse")
    model.fit(inputs, np.ones((16, 2)), verbose=0)
    assert not np.any(model(inputs)[:, 0])
