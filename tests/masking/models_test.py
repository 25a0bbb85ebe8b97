"""Every kind of model: sparsify, train, save, load, train on, strip."""

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tests import zoo
from tf_rigl.masking.mask_store import ATTRIBUTE

# Beyond all calls of `fit`.
ALGORITHM = tf_rigl.RigL(stop_step=100, update_interval=2)
SLOW = (
    "sequential recurrent transformer subclassed_unbuilt time_distributed "
    "convolutions_3d"
).split()


class Trained:
    """A sparse model after two epochs, with what it computes."""

    def __init__(self, package, name):
        keras = support.fresh_keras(package)
        self.keras, self.name = keras, name
        self.inputs, self.labels = support.make_data(zoo.INPUT_SHAPES[name])
        self.model = zoo.build(name, keras)
        returned = tf_rigl.sparsify(self.model, 0.7)
        assert returned is self.model
        self.compile(self.model)
        self.history = self.fit(self.model, 2, ALGORITHM).history
        self.masks = tf_rigl.masks(self.model)
        self.outputs = self.predict(self.model)

    def compile(self, model):
        optimizer = self.keras.optimizers.Adam(0.01)
        model.compile(optimizer, support.crossentropy(self.keras))

    def fit(self, model, epochs=1, algorithm=None):
        data = self.inputs, self.labels
        return support.fit(model, data, algorithm, batch_size=16, epochs=epochs)

    def predict(self, model):
        return np.asarray(model(self.inputs[:8], training=False))

    def plain(self):
        model = zoo.build(self.name, self.keras)
        model(self.inputs[:2])
        return model

    def another(self):
        self.keras.utils.set_random_seed(2)
        model = zoo.build(self.name, self.keras)
        tf_rigl.sparsify(model, 0.7, seed=3)
        model(self.inputs[:2])
        self.compile(model)
        return model


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(one.values, marks=one.marks, id="-".join(one.values))
        for one in support.in_turn(
            zoo.INPUT_SHAPES,
            # Once it is built, `sequential_unbuilt` is the same, and so are
            # subclassed models. Layers within recurrent and attention layers
            # are nested, too.
            lambda name: name in SLOW,
        )
    ],
)
def trained(request):
    name, package = request.param
    return Trained(package, name)


def assert_same(trained, model):
    support.assert_same_masks(tf_rigl.masks(model), trained.masks)
    np.testing.assert_allclose(
        trained.predict(model), trained.outputs, rtol=1e-5, atol=1e-6
    )


def assert_loaded(trained, model):
    assert_same(trained, model)
    # How it trains on depends on what it is, and `test_keras_file` has each
    # kind do so; of the other formats one kind is enough.
    if trained.name == "nested":
        assert_goes_on(trained, model)


def assert_goes_on(trained, model, without_callback=False):
    connections = list(support.counts(model).values())
    if without_callback:
        trained.fit(model)
        # Without it nothing keeps the optimizer's slots at zero.
        support.assert_masked(model, slots_too=False)
        support.assert_same_masks(tf_rigl.masks(model), trained.masks)
    trained.fit(model, algorithm=ALGORITHM)
    support.assert_masked(model)
    assert list(support.counts(model).values()) == connections


def test_training_keeps_every_connection_count(trained):
    fresh = tf_rigl.sparsify(trained.plain(), 0.7)
    assert list(support.counts(fresh).values()) == [
        int(mask.sum()) for mask in trained.masks.values()
    ]
    assert support.moved(trained.model) > 0
    total = tf_rigl.diagnose(trained.model).total
    assert total.sparsity == pytest.approx(0.7, abs=0.01)
    support.assert_masked(trained.model)


def test_keras_file_trains_on_and_is_stripped(trained, tmp_path):
    path = str(tmp_path / "model.keras")
    trained.model.save(path)
    model = trained.keras.models.load_model(path)
    assert_same(trained, model)
    assert_goes_on(trained, model, without_callback=True)

    before = trained.predict(model)
    assert tf_rigl.strip(model) is model
    np.testing.assert_array_equal(trained.predict(model), before)
    assert_plain(model, trained.plain())
    model.save(path)
    plain = trained.keras.models.load_model(path)
    np.testing.assert_allclose(
        trained.predict(plain), before, rtol=1e-5, atol=1e-6
    )


def assert_plain(model, fresh):
    assert [w.shape for w in model.weights] == [w.shape for w in fresh.weights]
    for layer in model._flatten_layers():
        assert not hasattr(layer, ATTRIBUTE)
        assert not any("tf_rigl" in c.__module__ for c in type(layer).__mro__)
        assert not any("tf_rigl" in name for name in vars(layer))
    assert tf_rigl.masks(model) == {}


def test_weights_file(trained, tmp_path):
    """Sparse models load it, and plain ones."""
    path = str(tmp_path / "model.weights.h5")
    trained.model.save_weights(path)
    model = trained.another()
    model.load_weights(path)
    assert_loaded(trained, model)

    plain = trained.plain()
    plain.load_weights(path)
    support.assert_all_equal(plain.get_weights(), trained.model.get_weights())
    np.testing.assert_allclose(
        trained.predict(plain), trained.outputs, rtol=1e-5, atol=1e-6
    )


def test_tensorflow_checkpoint(trained, tmp_path):
    if trained.keras.__name__ == "keras" and trained.name in (
        "recurrent",
        "subclassed",
        "subclassed_unbuilt",
    ):
        pytest.skip("Keras 3 itself leaves layers in lists out of checkpoints")
    prefix = str(tmp_path / "checkpoint")
    tf.train.Checkpoint(model=trained.model).write(prefix)
    model = trained.another()
    tf.train.Checkpoint(model=model).read(prefix).expect_partial()
    assert_loaded(trained, model)


def test_hdf5_file(trained, tmp_path):
    if trained.keras.__name__ == "keras":
        pytest.skip("Keras 3 has replaced it")
    if "subclass" in trained.name:
        pytest.skip("Keras 2 itself does not read a user's model class from it")
    path = str(tmp_path / "model.h5")
    trained.model.save(path)
    assert_loaded(trained, trained.keras.models.load_model(path))


def test_saved_model(trained, tmp_path):
    path = str(tmp_path / "saved_model")
    if trained.keras.__name__ == "keras":
        trained.model.export(path, verbose=False)
        loaded = tf.saved_model.load(path)
        np.testing.assert_allclose(
            np.asarray(loaded.serve(trained.inputs[:8])),
            trained.outputs,
            rtol=1e-5,
            atol=1e-6,
        )
        # What is served has no masks.
        assert len(loaded.variables) == len(trained.model.variables)
        return
    trained.model.save(path, save_format="tf")
    assert_loaded(trained, trained.keras.models.load_model(path))
