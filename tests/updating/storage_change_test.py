"""Storage that was chosen gives way to a method that needs all positions."""

import numpy as np
import pytest

import tf_rigl
from tests import support
from tf_rigl.backend import native_ops
from tf_rigl.masking import storage_choice
from tf_rigl.masking.masked_weight import masked_weights

pytestmark = pytest.mark.skipif(
    not native_ops.available(), reason='"auto" then compresses nothing'
)

SNFS = tf_rigl.SNFS(stop_step=8, update_interval=2)
DATA = {"data": support.make_data((200,), classes=10)}


def build(keras, storage="auto", trained=False, optimizer="SGD"):
    """A model of which `"auto"` compresses the first of two kernels."""
    keras.utils.set_random_seed(1)
    model = support.make_mlp(keras, units=(200,), inputs=200)
    tf_rigl.sparsify(model, 0.9, "uniform", storage=storage)
    rule = getattr(keras.optimizers, optimizer)
    options = {"momentum": 0.5} if optimizer == "SGD" else {}
    model.compile(rule(0.01, **options), support.crossentropy(keras))
    return model


def fit(model, method):
    return support.fit(model, DATA["data"], method, epochs=2)


def storages(model):
    return [one.storage.is_compressed for one in masked_weights(model)]


METHODS = {
    "snfs": (SNFS, "SNFS with these options needs values or gradients"),
    "gradient": (
        tf_rigl.RigL(stop_step=8, update_interval=2, grow_init="gradient"),
        "RigL with these options needs values or gradients",
    ),
}


@pytest.mark.slow
@support.keras_in_turn("method", ["snfs", "gradient"])
def test_methods_that_need_all_positions(keras, method):
    method, reason = METHODS[method]
    models = [build(keras, storage) for storage in ("masked", "auto")]
    assert storages(models[1]) == [True, False]
    losses = [fit(model, method).history["loss"] for model in models]

    model = models[1]
    assert storages(model) == [False, False]
    np.testing.assert_allclose(*losses, rtol=1e-5)
    support.assert_masked(model)
    (path, first), _ = storage_choice.reasons(model).items()
    assert first.startswith(f"masked: {reason}")
    for report in (tf_rigl.profile(model), tf_rigl.diagnose(model)):
        text = " ".join(str(report).split())
        assert f"Stored {first}: {path}." in text


@pytest.mark.slow
@support.one_keras("keras")
@pytest.mark.parametrize("optimizer", ["SGD", "Ftrl"])
def test_slots_and_counters_are_kept(keras, optimizer):
    rigl = tf_rigl.RigL(stop_step=99, update_interval=2)
    results = []
    for storage in ("masked", "auto"):
        model = build(keras, storage, optimizer=optimizer)
        fit(model, rigl)
        assert support.moved(model)
        rate = model.optimizer
        losses = fit(model, SNFS).history["loss"]
        assert (model.optimizer is rate) == (storage == "masked")
        assert int(model.optimizer.iterations) == 8
        results.append((losses, support.moved(model)))
    (losses, moved), (others, moved_too) = results
    np.testing.assert_allclose(losses, others, rtol=1e-4)
    assert abs(moved - moved_too) <= 2


@pytest.mark.slow
@support.keras_in_turn("storage", ["compressed", "auto"])
def test_a_model_is_stored_masked_as_asked_for(keras, storage):
    rigl = tf_rigl.RigL(stop_step=99, update_interval=2)
    model = build(keras, storage)
    fit(model, rigl)
    masks = tf_rigl.masks(model)
    values = [one.values().numpy() for one in masked_weights(model)]
    tf_rigl.store_masked(model)

    assert storages(model) == [False, False]
    support.assert_all_equal(tf_rigl.masks(model).values(), masks.values())
    support.assert_all_equal(
        [one.values() for one in masked_weights(model)], values
    )
    assert support.assert_masked(model) == 2  # slots
    slots = [np.asarray(one) for one in model.optimizer.variables]
    assert any(one.shape == (200, 200) and np.ptp(one) for one in slots)
    fit(model, rigl)
    assert tf_rigl.prune(model, amount=0.1) is not None


@pytest.mark.slow
@support.one_keras("tf_keras")
def test_deferred_models_and_those_asked_for(keras):
    model = keras.Sequential([keras.layers.Dense(200, name="wide")])
    tf_rigl.sparsify(model, 0.9, storage="auto")
    model.compile("sgd", support.crossentropy(keras))
    support.fit(model, DATA["data"], SNFS)
    assert storages(model) == [False]

    model = build(keras, "compressed")
    with pytest.raises(ValueError, match="SNFS with these options needs"):
        fit(model, SNFS)


@support.one_keras("keras")
def test_attach(keras):
    model = build(keras)
    optimizer = keras.optimizers.SGD(0.1)
    tf_rigl.attach(optimizer, model, SNFS)
    assert storages(model) == [False, False]

    model = build(keras)
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build(model.trainable_variables)
    with pytest.raises(ValueError, match="SNFS with these options needs"):
        tf_rigl.attach(optimizer, model, SNFS)


@pytest.mark.slow
@support.one_keras("keras")
@pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer")
def test_a_loaded_model_remembers_the_choice(keras, tmp_path):
    model = build(keras)
    path = str(tmp_path / "model.keras")
    model.save(path)
    loaded = keras.models.load_model(path)
    assert storage_choice.reasons(loaded) == {
        "dense/kernel": "compressed: large, sparse, on a CPU"
    }
    fit(loaded, SNFS)
    assert storages(loaded) == [False, False]
