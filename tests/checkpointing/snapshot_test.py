"""Snapshots: what they hold, and what a model is after a rewind."""

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tf_rigl.backend.flavor import flavor_of
from tf_rigl.checkpointing import optimizer_state
from tf_rigl.masking.masked_weight import masked_weights


def make_model(keras, optimizer=None, sparsity=0.0):
    model = support.make_noisy(keras)
    tf_rigl.sparsify(model, sparsity, start="dense")
    optimizer = optimizer or keras.optimizers.Adam(0.01)
    model.compile(optimizer, support.crossentropy(keras), metrics=["accuracy"])
    return model


def fit(model, epochs=1, callbacks=(), **kwargs):
    inputs, labels = support.make_data((20,), 128, classes=10)
    model.fit(
        inputs,
        labels,
        batch_size=32,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=[tf_rigl.UpdateMasks(tf_rigl.Static()), *callbacks],
        **kwargs,
    )


def values_of(model):
    """All that a rewind restores of a model, by an own way to it."""
    flavor = flavor_of(model)
    return [
        # Arrays of masked weights bring their masks along.
        np.asarray(flavor.raw(variable).numpy())
        for variable in (*model.variables, *flavor.random_state(model))
    ]


def slots_of(optimizer):
    """The slots, without steps and rate."""
    flavor = flavor_of(optimizer)
    return [
        flavor.raw(variable).numpy()
        for variable in flavor.optimizer_state(optimizer)
        if len(variable.shape)
    ]


def masked(values, model, mask_of):
    kernels = {id(one.variable): one.path for one in masked_weights(model)}
    return [
        np.where(mask_of[kernels[id(variable)]], value, 0)
        if id(variable) in kernels
        else value
        for value, variable in zip(
            values,
            [*model.variables, *flavor_of(model).random_state(model)],
            strict=True,
        )
    ]


def test_a_pruned_model_goes_back_through_its_masks(keras):
    model = make_model(keras)
    fit(model)
    before, steps = values_of(model), 4
    snapshot = tf_rigl.Snapshot.of(model)
    fit(model)
    tf_rigl.prune(model, amount=0.6)
    masks = tf_rigl.masks(model)

    assert snapshot.restore(model) is model

    support.assert_same_masks(tf_rigl.masks(model), masks)
    support.assert_all_equal(values_of(model), masked(before, model, masks))
    assert not any(np.any(slot) for slot in slots_of(model.optimizer))
    assert (
        optimizer_state.steps_taken(model.optimizer) == steps == snapshot.step
    )


@support.one_keras("keras")
def test_rewound_training_is_that_of_the_first_time(keras):
    model = make_model(keras)
    start = tf_rigl.Snapshot.of(model)
    fit(model, epochs=2)
    first = values_of(model)
    start.restore(model)
    fit(model, epochs=2)
    support.assert_all_equal(values_of(model), first)


def test_rewinding_to_a_step_with_the_slots_of_then(keras, tmp_path):
    """A dense model goes on as if nothing had been in between."""
    model = make_model(keras)
    path = tmp_path / "k.npz"
    fit(model, epochs=2, callbacks=[tf_rigl.SnapshotAt(4, path)])
    first = values_of(model), slots_of(model.optimizer)
    snapshot = tf_rigl.Snapshot.load(path)
    assert snapshot.step == 4

    snapshot.restore(model, slots="restore")
    fit(model, epochs=2, initial_epoch=1)

    support.assert_all_equal(values_of(model), first[0])
    support.assert_all_equal(slots_of(model.optimizer), first[1])


@support.one_keras("keras")
def test_nothing_is_retraced(keras):
    model = make_model(keras)
    start = tf_rigl.Snapshot.of(model)
    fit(model)
    function = model.train_function or model.__dict__["_tf_rigl_train_step"]
    for _ in range(2):
        tf_rigl.prune(model, amount=0.2)
        start.restore(model)
        fit(model)
    again = model.train_function or model.__dict__["_tf_rigl_train_step"]
    assert again is function


@support.keras_in_turn("slots", ["zero", "keep"])
def test_learning_rate_rewinding(keras, slots):
    schedule = keras.optimizers.schedules.PolynomialDecay(0.1, 8)
    model = make_model(keras, keras.optimizers.SGD(schedule, 0.9))
    fit(model)
    snapshot = tf_rigl.Snapshot.of(model)
    fit(model)
    before = values_of(model), slots_of(model.optimizer)

    snapshot.restore(model, weights=False, slots=slots)

    support.assert_all_equal(values_of(model), before[0])
    expected = [one * (slots == "keep") for one in before[1]]
    support.assert_all_equal(slots_of(model.optimizer), expected)
    assert optimizer_state.steps_taken(model.optimizer) == 4


@support.keras_in_turn("has_config", [False, True])
def test_a_schedule_of_the_users_own(keras, has_config):
    """Its class is not registered, and needs no configuration."""
    model = make_model(
        keras, keras.optimizers.SGD(make_schedule(keras, has_config), 0.9)
    )
    schedule = model.optimizer._learning_rate
    start = tf_rigl.Snapshot.of(model)
    fit(model)
    start.restore(model)
    assert model.optimizer._learning_rate is schedule
    assert not any(map(np.any, slots_of(model.optimizer)))

    fit(model)
    # Once more it is the object that is taken over.
    optimizer = tf_rigl.strip(model).optimizer
    assert optimizer._learning_rate is schedule
    assert optimizer_state.steps_taken(optimizer) == 0


def make_schedule(keras, has_config):
    class Halving(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            return 0.1 * 0.5 ** tf.cast(step, tf.float32)

    class Configured(Halving):
        def get_config(self):
            return {}

    return Configured() if has_config else Halving()


@support.one_keras("keras")
def test_the_learning_rate_is_that_of_the_step(keras):
    model = make_model(keras, keras.optimizers.SGD(0.5, 0.9))
    snapshot = tf_rigl.Snapshot.of(model)
    model.optimizer.learning_rate = 0.25
    snapshot.restore(model, step=0)
    assert float(model.optimizer.learning_rate) == 0.25
    snapshot.restore(model)
    assert float(model.optimizer.learning_rate) == 0.5


OPTIMIZERS = {
    "Adagrad": lambda keras: keras.optimizers.Adagrad(0.01, 0.25),
    "Ftrl": lambda keras: keras.optimizers.Ftrl(0.01),
    "Nadam": lambda keras: keras.optimizers.Nadam(0.01),
    "RMSprop": lambda keras: keras.optimizers.RMSprop(0.01, momentum=0.9),
    "AdamW": lambda keras: keras.optimizers.AdamW(0.01),
}


@support.keras_in_turn("name", sorted(OPTIMIZERS))
def test_slots_are_those_of_a_new_optimizer(keras, name):
    model = make_model(keras, OPTIMIZERS[name](keras))
    start = tf_rigl.Snapshot.of(model)
    first = slots_of(model.optimizer)
    fit(model)
    assert any(
        np.any(one != other)
        for one, other in zip(slots_of(model.optimizer), first, strict=True)
    )
    start.restore(model)
    support.assert_all_equal(slots_of(model.optimizer), first)


@support.one_keras("tf_keras")
def test_averages_of_weights_become_the_weights(keras):
    optimizer = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)
    model = make_model(keras, optimizer)
    fit(model)
    tf_rigl.Snapshot.of(model).restore(model, step=3)
    averages = optimizer._model_variables_moving_average
    for average, variable in zip(
        averages, model.trainable_variables, strict=True
    ):
        np.testing.assert_array_equal(np.asarray(average), np.asarray(variable))


def test_loss_scales_and_accumulated_gradients():
    keras = support.fresh_keras("keras")
    inner = keras.optimizers.SGD(0.1, 0.9, gradient_accumulation_steps=2)
    model = make_model(keras, keras.optimizers.LossScaleOptimizer(inner))
    fit(model, epochs=2)
    snapshot = tf_rigl.Snapshot.of(model)
    fit(model)
    snapshot.restore(model)
    assert optimizer_state.steps_taken(inner) == 4
    assert not any(np.any(slot) for slot in slots_of(inner))


def test_two_replicas(keras, two_replicas):
    with two_replicas.scope():
        model = make_model(keras)
    start = tf_rigl.Snapshot.of(model)
    before = values_of(model)
    fit(model)
    tf_rigl.prune(model, amount=0.5)
    start.restore(model)
    masks = tf_rigl.masks(model)
    support.assert_all_equal(values_of(model), masked(before, model, masks))
    support.assert_replicas_masked(model, two_replicas)
    assert not any(np.any(slot) for slot in slots_of(model.optimizer))


@support.one_keras("tf_keras")
def test_files_and_other_models(keras, tmp_path):
    """Weights have the paths of masks, in a dense model, too."""
    model = make_model(keras)
    snapshot = tf_rigl.Snapshot.of(model)
    assert set(tf_rigl.masks(model)) <= set(snapshot.weights)
    path = tmp_path / "start.npz"
    snapshot.save(path)
    loaded = tf_rigl.Snapshot.load(path)
    assert loaded.step == 0
    assert repr(loaded) == (
        "Snapshot(8 weights of step 0, with the optimizer's state)"
    )
    assert list(loaded.weights) == list(snapshot.weights)
    support.assert_all_equal(
        list(loaded.weights.values()), list(snapshot.weights.values())
    )

    other = make_model(keras)
    loaded.restore(other)
    support.assert_all_equal(values_of(other), values_of(model))
    fit(model)
    tf_rigl.prune(model, "movement", amount=0.5, initial=loaded)


@support.one_keras("tf_keras")
def test_models_without_an_optimizer(keras):
    model = support.make_mlp(keras)
    snapshot = tf_rigl.Snapshot.of(model)
    assert snapshot.step is None
    before = model.get_weights()
    model.set_weights([one + 1 for one in before])
    snapshot.restore(model)
    support.assert_all_equal(model.get_weights(), before)
    with pytest.raises(ValueError, match="the model has no optimizer"):
        snapshot.restore(model, slots="restore")
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="the snapshot has no optimizer"):
        snapshot.restore(model, slots="restore")


def test_errors(keras, tmp_path):
    model = make_model(keras)
    snapshot = tf_rigl.Snapshot.of(model)
    with pytest.raises(ValueError, match="`slots` must be one of"):
        snapshot.restore(model, slots="fresh")
    with pytest.raises(ValueError, match=r"A snapshot must be of the same"):
        snapshot.restore(support.make_mlp(keras))
    other = make_model(keras, keras.optimizers.SGD(0.1))
    before = values_of(other)
    with pytest.raises(ValueError, match=r"there are \d+ variables and not"):
        snapshot.restore(other)
    support.assert_all_equal(values_of(other), before)
    with pytest.raises(ValueError, match="not built"):
        tf_rigl.Snapshot.of(keras.Sequential([keras.layers.Dense(3)]))

    path = tmp_path / "start.npz"
    with pytest.raises(ValueError, match="which does not exist"):
        tf_rigl.Snapshot.load(path)
    snapshot.save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="must be a whole file"):
        tf_rigl.Snapshot.load(path)
    checkpoints = tf_rigl.Checkpoints(tmp_path / "checkpoints")
    checkpoints.save(model, 3)
    (file,) = (tmp_path / "checkpoints").iterdir()
    with pytest.raises(ValueError, match=r"that `Snapshot.save` has written"):
        tf_rigl.Snapshot.load(file)


def test_optimizers_that_cannot_be_made_again():
    keras = support.fresh_keras("keras")

    class Own(keras.optimizers.SGD):
        def __init__(self, needed):
            super().__init__(needed, 0.9)

        def get_config(self):
            raise NotImplementedError

    model = make_model(keras, Own(0.1))
    snapshot = tf_rigl.Snapshot.of(model)
    with pytest.raises(ValueError, match="Pass slots='keep'"):
        snapshot.restore(model)
    snapshot.restore(model, slots="restore")
