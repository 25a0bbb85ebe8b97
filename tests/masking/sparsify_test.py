"""Which weights `sparsify` masks, at which counts, and what it refuses."""

import math

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tests import zoo

MLP = {
    "dense/kernel": 20 * 64,
    "dense_1/kernel": 64 * 32,
    "dense_2/kernel": 32 * 10,
}


def test_model_is_changed_in_place(keras):
    model = support.make_mlp(keras)
    layers, weights = list(model.layers), model.get_weights()
    classes = [type(layer) for layer in layers]
    assert tf_rigl.sparsify(model, 0.8) is model
    assert list(model.layers) == layers
    for layer, cls in zip(layers, classes, strict=True):
        assert isinstance(layer, cls)
        assert type(layer).__name__ == cls.__name__
    masks = list(tf_rigl.masks(model).values())
    for old, new in zip(weights, model.trainable_weights, strict=True):
        new = new.numpy()
        if old.ndim == 2:
            np.testing.assert_array_equal(new, np.where(masks.pop(0), old, 0))
        else:
            np.testing.assert_array_equal(new, old)


def test_compiled_state_stays(keras):
    model = support.make_mlp(keras)
    model.compile("adam", support.crossentropy(keras))
    optimizer = model.optimizer
    tf_rigl.sparsify(model, 0.8)
    assert model.optimizer is optimizer
    data = support.make_data((20,))
    support.fit(model, data, tf_rigl.RigL(update_interval=1))
    support.assert_masked(model)


@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.8, 0.98, 0.999])
@pytest.mark.parametrize("distribution", ["uniform", "er", "erk"])
def test_counts_are_the_allotted_ones(keras, sparsity, distribution):
    model = support.make_mlp(keras)
    tf_rigl.sparsify(model, sparsity, distribution)
    shapes = {w.path: tuple(w.shape) for w in support.masked_weights(model)}
    assert {path: math.prod(shape) for path, shape in shapes.items()} == MLP
    assert support.counts(model) == tf_rigl.allocate(
        shapes, sparsity, distribution
    )
    assert sum(support.counts(model).values()) == sum(MLP.values()) - int(
        round(sparsity * 1000) * sum(MLP.values()) // 1000
    )


def test_seed_decides_the_masks(keras):
    def masks(seed):
        model = tf_rigl.sparsify(support.make_mlp(keras), 0.8, seed=seed)
        return tf_rigl.masks(model)

    support.assert_same_masks(masks(3), masks(3))
    with pytest.raises(AssertionError):
        support.assert_same_masks(masks(3), masks(4))


def test_masks_do_not_depend_on_automatic_names(keras):
    """The second model's layers are called dense_3 and so on."""
    first = tf_rigl.sparsify(support.make_mlp(keras), 0.8)
    second = tf_rigl.sparsify(support.make_mlp(keras), 0.8)
    assert list(tf_rigl.masks(first)) != list(tf_rigl.masks(second))
    support.assert_same_masks(tf_rigl.masks(first), tf_rigl.masks(second))


@pytest.mark.parametrize("name", ["sequential", "recurrent", "transformer"])
def test_both_flavors_get_the_same_masks(name):
    import keras
    import tf_keras

    masks = [
        tf_rigl.masks(tf_rigl.sparsify(zoo.build(name, package), 0.7))
        for package in (keras, tf_keras)
    ]
    support.assert_same_masks(*masks)


def test_dense_by_layer_name_path_and_predicate(keras):
    choices = (
        lambda model: [model.layers[-1]],
        lambda model: model.layers[-1],
        lambda model: "out",
        lambda model: ["out/kernel"],
        lambda model: lambda layer: layer.name == "out",
    )
    for choose in choices:
        model = keras.Sequential(
            [
                keras.Input((20,)),
                keras.layers.Dense(32, name="hidden"),
                keras.layers.Dense(10, name="out"),
            ]
        )
        tf_rigl.sparsify(model, 0.5, dense=choose(model))
        # What stays dense counts against the budget.
        assert support.counts(model) == {
            "hidden/kernel": 960 - 480 - 320,
            "out/kernel": 320,
        }


def test_mapping_by_layer_and_by_path(keras):
    model = support.make_mlp(keras)
    first, _, last = model.layers[-3:]
    path = f"{last.name}/kernel"
    tf_rigl.sparsify(model, 0.8, {first: 0.9, path: 0.25})
    counts = list(support.counts(model).values())
    assert counts[0] == 128
    assert counts[2] == 240
    assert sum(counts) == 3648 - int(0.8 * 3648)


def test_callable_distribution(keras):
    model = support.make_mlp(keras)

    def halves(shapes, sparsity):
        assert sparsity == 0.5
        return dict.fromkeys(shapes, 0.5)

    tf_rigl.sparsify(model, 0.5, halves)
    assert list(support.counts(model).values()) == [640, 1024, 160]


def test_biases_normalization_depthwise_and_embeddings_stay_dense(keras):
    layers = keras.layers
    inputs = keras.Input((6,), dtype="int32")
    hidden = layers.Embedding(50, 8, name="embedding")(inputs)
    hidden = layers.Reshape((6, 8, 1))(hidden)
    hidden = layers.DepthwiseConv2D(3, name="depthwise")(hidden)
    hidden = layers.BatchNormalization()(layers.Flatten()(hidden))
    model = keras.Model(inputs, layers.Dense(3, name="out")(hidden))
    with pytest.warns(UserWarning, match="Large weights stay dense"):
        tf_rigl.sparsify(model, 0.5)
    assert list(tf_rigl.masks(model)) == ["out/kernel"]
    tf_rigl.strip(model)
    tf_rigl.sparsify(
        model,
        0.5,
        "uniform",
        options=tf_rigl.SparsifyOptions(include=["embedding", "depthwise"]),
    )
    assert len(tf_rigl.masks(model)) == 3
    model.compile("adam", support.crossentropy(keras))
    tokens = np.random.default_rng(0).integers(0, 50, (64, 6))
    data = tokens, tokens[:, 0] % 3
    support.fit(model, data, tf_rigl.RigL(update_interval=1))
    support.assert_masked(model)


def test_custom_layer_by_the_protocol_of_tfmot(monkeypatch):
    # Importing it sets this for the whole process, and so for those that
    # other tests start.
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "1")
    import tensorflow_model_optimization as tfmot
    import tf_keras

    class Scale(tf_keras.layers.Layer, tfmot.sparsity.keras.PrunableLayer):
        def build(self, input_shape):
            self.table = self.add_weight(name="table", shape=input_shape[1:])
            self.other = self.add_weight(name="other", shape=input_shape[1:])
            self.built = True

        def call(self, inputs):
            return inputs * self.table + self.other

        def get_prunable_weights(self):
            return [self.table]

    inputs = tf_keras.Input((6, 5))
    model = tf_keras.Model(inputs, Scale(name="scale")(inputs))
    tf_rigl.sparsify(model, 0.5, dense=["scale/other"])
    assert support.counts(model) == {"scale/table": 15}


def test_frozen_layers_stay_as_they_are(keras):
    model = support.make_mlp(keras)
    frozen = model.layers[-3]
    frozen.trainable = False
    before = frozen.kernel.numpy()
    with pytest.warns(UserWarning, match="Large weights stay dense"):
        tf_rigl.sparsify(model, 0.8)
    assert len(tf_rigl.masks(model)) == 2
    np.testing.assert_array_equal(frozen.kernel.numpy(), before)


def test_layer_in_two_models_is_masked_in_both(keras):
    base = zoo.sequential(keras)
    tf_rigl.sparsify(base, 0.7)
    inputs = keras.Input((20,))
    outputs = keras.layers.Dense(5, name="head")(base(inputs))
    model = keras.Model(inputs, outputs)
    assert len(tf_rigl.masks(model)) == 2
    support.train(keras, model, tf_rigl.RigL(update_interval=2))
    support.assert_masked(model)
    support.assert_same_masks(tf_rigl.masks(model), tf_rigl.masks(base))


def test_own_constraint_is_kept(keras):
    inputs = keras.Input((20,))
    constraint = keras.constraints.MaxNorm(0.5)
    layer = keras.layers.Dense(10, kernel_constraint=constraint)
    model = keras.Model(inputs, layer(inputs))
    tf_rigl.sparsify(model, 0.5)
    for algorithm in (None, tf_rigl.RigL(update_interval=2)):
        support.train(keras, model, algorithm)
        norms = np.linalg.norm(layer.kernel.numpy(), axis=0)
        assert np.all(norms < 0.51)
        support.assert_masked(model, slots_too=algorithm is not None)
    tf_rigl.strip(model)
    assert layer.kernel.constraint is constraint


def test_constraint_that_fills_zeros_is_refused(keras):
    def shift(weight):
        return weight + 1.0

    inputs = keras.Input((20,))
    layer = keras.layers.Dense(10, kernel_constraint=shift)
    model = keras.Model(inputs, layer(inputs))
    tf_rigl.sparsify(model, 0.5)
    with pytest.raises(ValueError, match="must keep zeros at zero"):
        support.train(keras, model, tf_rigl.Static())


@pytest.mark.parametrize("name", ["subclassed_unbuilt", "sequential_unbuilt"])
def test_unbuilt_model_computes_with_masked_weights_from_the_start(keras, name):
    model = zoo.build(name, keras)
    plain = type(model)
    tf_rigl.sparsify(model, 0.7)
    inputs, _ = support.make_data((20,))
    first = np.asarray(model(inputs))
    np.testing.assert_array_equal(np.asarray(model(inputs)), first)
    assert isinstance(model, plain)
    assert len(tf_rigl.masks(model)) > 0


@pytest.mark.parametrize(
    ("name", "keras"),
    support.in_turn(["subclassed_unbuilt", "sequential_unbuilt"]),
    indirect=["keras"],
)
def test_unbuilt_model_is_masked_in_fit(keras, name):
    """Without an algorithm; `models_test` has them train with one."""
    model = tf_rigl.sparsify(zoo.build(name, keras), 0.7)
    support.train(keras, model, None)
    support.assert_masked(model, slots_too=False)
    assert support.moved(model) == 0


def test_model_whose_build_makes_no_weights(keras):
    """Keras 3 marks it built; it still waits for its first batch."""
    model = tf_rigl.sparsify(zoo.subclassed_unbuilt(keras), 0.7)
    model.build((None, 20))
    inputs, _ = support.make_data((20,))
    first = np.asarray(model(inputs))
    np.testing.assert_array_equal(np.asarray(model(inputs)), first)
    assert len(tf_rigl.masks(model)) == 5


def test_unbuilt_model_in_a_compiled_loop(keras):
    model = tf_rigl.sparsify(zoo.subclassed_unbuilt(keras), 0.7)
    inputs, _ = support.make_data((20,))
    outputs = tf.function(lambda batch: model(batch))(tf.constant(inputs))
    np.testing.assert_allclose(
        np.asarray(outputs), np.asarray(model(inputs)), rtol=1e-5, atol=1e-6
    )
    assert len(tf_rigl.masks(model)) == 5


@pytest.mark.parametrize("sparsity", [-0.1, 1, 1.0, 2, float("nan"), "0.9"])
def test_sparsity_out_of_range(keras, sparsity):
    with pytest.raises(ValueError, match=r"must be in \[0, 1\)\. Received"):
        tf_rigl.sparsify(support.make_mlp(keras), sparsity)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"distribution": "erdos"}, "`distribution` must be one of"),
        ({"distribution": {"nowhere": 0.5}}, "`distribution` must name layers"),
        ({"distribution": {"dense/kernel": 1.5}}, r"must be in \[0, 1\)"),
        ({"dense": ["nowhere"]}, "`dense` must name layers"),
        ({"dense": [object()]}, "`dense` must name layers"),
        (
            {"options": tf_rigl.SparsifyOptions(include=["nowhere"])},
            "`include` must name layers",
        ),
        ({"dense": ["dense_1"], "sparsity": 0.9}, "reachable maximum"),
    ],
)
def test_bad_arguments(keras, arguments, message):
    model = support.make_mlp(keras)
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        tf_rigl.sparsify(model, **{"sparsity": 0.5, **arguments})
    support.assert_all_equal(before, model.get_weights())
    assert tf_rigl.masks(model) == {}


def test_model_with_nothing_to_sparsify(keras):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Flatten()])
    with pytest.raises(ValueError, match="weights that may be sparse"):
        tf_rigl.sparsify(model, 0.5)


def test_sparse_model_is_not_sparsified_again(keras):
    model = tf_rigl.sparsify(support.make_mlp(keras), 0.5)
    with pytest.raises(ValueError, match="can be sparsified once"):
        tf_rigl.sparsify(model, 0.5)
    unbuilt = tf_rigl.sparsify(zoo.subclassed_unbuilt(keras), 0.5)
    with pytest.raises(ValueError, match="can be sparsified once"):
        tf_rigl.sparsify(unbuilt, 0.5)


def test_masks_of_an_unbuilt_model(keras):
    model = tf_rigl.sparsify(zoo.subclassed_unbuilt(keras), 0.5)
    with pytest.raises(ValueError, match="has no weights yet"):
        tf_rigl.masks(model)


@pytest.mark.parametrize("thing", [None, "model", tf.Module(), np.zeros(3)])
def test_model_of_neither_keras(thing):
    for function in (
        lambda: tf_rigl.sparsify(thing, 0.5),
        lambda: tf_rigl.masks(thing),
        lambda: tf_rigl.strip(thing),
    ):
        with pytest.raises(TypeError, match="of Keras 2 "):
            function()


def test_layer_instead_of_a_model(keras):
    with pytest.raises(TypeError, match="must be a Keras model"):
        tf_rigl.sparsify(keras.layers.Dense(3), 0.5)


def test_options_are_checked():
    with pytest.raises(ValueError, match=r"`scale` must be one of .*'row'"):
        tf_rigl.SparsifyOptions(scale="row")
    # An iterator would name layers of the first model only.
    assert tf_rigl.SparsifyOptions(iter(["layer"])).include == ("layer",)


@pytest.mark.parametrize("options", [{"scale": "layer"}, tf_rigl.LiteRTOptions])
def test_options_of_another_type(keras, options):
    message = r"must be a tf_rigl\.SparsifyOptions\. Received: options="
    with pytest.raises(TypeError, match=message):
        tf_rigl.sparsify(support.make_mlp(keras), 0.5, options=options)


def test_pretrained_model_with_a_dense_start(keras):
    """The same variables give the same outputs until something is pruned."""
    model = support.make_mlp(keras, (9,))
    support.train(keras, model, None, epochs=1)
    inputs, _ = support.make_data((20,))
    before = np.asarray(model(inputs))
    flavor = support.flavor_of(model)
    raw = [flavor.raw(weight) for weight in model.trainable_weights]
    tf_rigl.sparsify(model, 0.5, start="dense")
    for weight, old in zip(model.trainable_weights, raw, strict=True):
        assert flavor.raw(weight) is old
    np.testing.assert_array_equal(np.asarray(model(inputs)), before)
    for _ in support.take_steps(
        keras, model, tf_rigl.OneShot(0), 1, model.optimizer
    ):
        support.assert_masked(model)
    assert np.any(np.asarray(model(inputs)) != before)
