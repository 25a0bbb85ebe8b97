"""Taking over models, schedules and policies of TFMOT, with the real TFMOT."""

import os
import types

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tf_rigl.algorithms.tfmot_pruning import TFMOTPruning
from tf_rigl.backend.flavor import flavor_of
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.tfmot.wrappers import wrappers as find_wrappers
from tf_rigl.updating import slots

BATCH = 16


@pytest.fixture(scope="module")
def tfmot():
    """TFMOT, whose import sets a variable for the whole process."""
    before = os.environ.get("TF_USE_LEGACY_KERAS")
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    import tensorflow_model_optimization
    import tf_keras

    if before is None:
        del os.environ["TF_USE_LEGACY_KERAS"]
    sparsity = tensorflow_model_optimization.sparsity.keras
    return types.SimpleNamespace(
        prune=sparsity.prune_low_magnitude,
        polynomial=sparsity.PolynomialDecay,
        constant=sparsity.ConstantSparsity,
        step=sparsity.UpdatePruningStep,
        strip=sparsity.strip_pruning,
        policy=sparsity.PruneForLatencyOnXNNPack,
        protocol=sparsity.PrunableLayer,
        keras=tf_keras,
    )


@pytest.fixture
def keras2(tfmot):
    tfmot.keras.backend.clear_session()
    tfmot.keras.utils.set_random_seed(1)
    return tfmot.keras


def sequential(keras):
    return support.make_mlp(keras, (24,))


def shared(keras):
    """A layer used twice, beside one that is used once."""
    inputs = keras.Input((20,))
    dense = keras.layers.Dense(20, activation="relu", name="twice")
    hidden = keras.layers.BatchNormalization()(dense(dense(inputs)))
    return keras.Model(inputs, keras.layers.Dense(10, name="out")(hidden))


def nested(keras):
    inner = keras.Sequential(
        [
            keras.Input((20,)),
            keras.layers.Dense(16, activation="relu", name="first"),
            keras.layers.Dropout(0.0),
        ],
        name="inner",
    )
    inputs = keras.Input((20,))
    return keras.Model(
        inputs, keras.layers.Dense(10, name="out")(inner(inputs)), name="outer"
    )


def convolutional(keras):
    inputs = keras.Input((20,))
    hidden = keras.layers.Reshape((5, 4))(inputs)
    hidden = keras.layers.SeparableConv1D(6, 3, name="separable")(hidden)
    hidden = keras.layers.Conv1D(5, 2, name="conv")(hidden)
    hidden = keras.layers.Flatten()(hidden)
    return keras.Model(inputs, keras.layers.Dense(10, name="out")(hidden))


def built_late(keras):
    return keras.Sequential(
        [keras.layers.Dense(12, activation="relu"), keras.layers.Dense(10)]
    )


MODELS = [sequential, shared, nested, convolutional, built_late]


def data(samples=96, shape=(20,)):
    return support.make_data(shape, samples, classes=10)


def fit(model, callbacks=(), epochs=1, samples=96):
    return support.fit(
        model,
        data(samples),
        callbacks=callbacks,
        batch_size=BATCH,
        epochs=epochs,
    )


def compiled(keras, model, optimizer=None):
    model.compile(
        optimizer or keras.optimizers.SGD(0.1, momentum=0.9),
        support.crossentropy(keras),
        metrics=["accuracy"],
    )
    return model


def pruned(tfmot, model, schedule, epochs=1, optimizer=None, **kwargs):
    model = tfmot.prune(model, pruning_schedule=schedule, **kwargs)
    compiled(tfmot.keras, model, optimizer)
    if not model.built:
        # TFMOT's callback wants to see the wrappers' variables.
        model(data()[0][:2])
    fit(model, [tfmot.step()], epochs)
    return model


def their_masks(model):
    """TFMOT's masks, by the identity of the weight."""
    return {
        id(flavor_of(model).raw(weight)): mask.numpy()
        for wrapper in wrappers(model)
        for weight, mask, _ in wrapper.pruning_vars
    }


def their_counts(model):
    return [int(mask.sum(dtype="float64")) for mask in masks_in_order(model)]


def our_counts(model):
    return list(support.counts(model).values())


def masks_in_order(model):
    return [m.numpy() for w in wrappers(model) for _, m, _ in w.pruning_vars]


def wrappers(model):
    return find_wrappers(flavor_of(model), model)


def assert_no_wrappers(model):
    names = {type(module).__name__ for module in model.submodules}
    assert "PruneLowMagnitude" not in names


def rigl(**kwargs):
    return tf_rigl.UpdateMasks(
        tf_rigl.RigL(stop_step=1000, update_interval=2, **kwargs)
    )


def assert_same_masks(model, theirs):
    records = masked_weights(model)
    assert {id(record.storage.variable) for record in records} == set(theirs)
    for record in records:
        mask = theirs[id(record.storage.variable)]
        np.testing.assert_array_equal(record.mask.numpy(), mask == 1)
        assert set(np.unique(mask)) <= {0, 1}
    support.assert_masked(model, slots_too=False)


# Taking over models.


@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
def test_takes_over_masks_outputs_and_optimizer(tfmot, keras2, make):
    model = make(keras2)
    names = [layer.name for layer in model.layers]
    theirs = pruned(tfmot, model, tfmot.constant(0.7, 0, frequency=3))
    inputs, _ = data()
    before = theirs.predict(inputs, verbose=0)
    masks = their_masks(theirs)
    optimizer, iterations = theirs.optimizer, int(theirs.optimizer.iterations)
    momenta = [v.numpy() for v in optimizer.variables]

    ours = tf_rigl.tfmot.convert(theirs)

    assert_same_masks(ours, masks)
    counts = support.counts(ours)
    assert counts and all(
        record.num_active() == record.target < record.size
        for record in masked_weights(ours)
    )
    assert [layer.name for layer in ours.layers] == names
    assert ours.name == model.name
    assert_no_wrappers(ours)
    np.testing.assert_array_equal(ours.predict(inputs, verbose=0), before)
    # The optimizer is the same, slots and all, and goes on.
    assert ours.optimizer is optimizer
    support.assert_all_equal(optimizer.variables, momenta)
    # Diagnostics begin with the takeover.
    assert tf_rigl.diagnose(ours).total.overlap_start == 1
    history = fit(ours, [rigl()], epochs=2)
    assert tf_rigl.diagnose(ours).total.exploration > 0.3
    assert 0 < tf_rigl.diagnose(ours).total.overlap_start < 1
    assert int(optimizer.iterations) == iterations + 2 * 6
    assert len(optimizer.variables) == len(momenta)
    assert "accuracy" in history.history
    assert support.counts(ours) == counts
    assert support.moved(ours) > 0
    assert support.assert_masked(ours) > 0


def test_functional_configuration_is_that_of_the_plain_model(tfmot, keras2):
    for make in (sequential, nested):
        model = make(keras2)
        config = model.get_config()
        theirs = tfmot.prune(model, tfmot.constant(0.5, 0))
        ours = tf_rigl.strip(tf_rigl.tfmot.convert(theirs))
        assert ours.get_config() == config


def test_slots_of_connections_are_kept(tfmot, keras2):
    theirs = pruned(
        tfmot,
        sequential(keras2),
        tfmot.constant(0.6, 0, frequency=2),
        optimizer=keras2.optimizers.Adam(0.01),
    )
    ours = tf_rigl.tfmot.convert(theirs)
    flavor = flavor_of(ours)
    before = {
        record.path: [
            slot.numpy()
            for slot in slots.slots_of(flavor, ours.optimizer, record)
        ]
        for record in masked_weights(ours)
    }
    tf_rigl.attach(ours.optimizer, ours, tf_rigl.Static())
    for record in masked_weights(ours):
        mask = record.mask.numpy()
        now = list(slots.slots_of(flavor, ours.optimizer, record))
        assert len(now) == len(before[record.path]) == 2
        for slot, old in zip(now, before[record.path], strict=True):
            np.testing.assert_array_equal(slot.numpy(), np.where(mask, old, 0))
            assert np.any(slot.numpy())


def test_recurrent_layers(tfmot, keras2, monkeypatch):
    from tensorflow_model_optimization.python.core.sparsity.keras import (
        prune_registry,
    )

    layers = keras2.layers
    # TFMOT finds the cells' classes by `tf.keras`, whichever Keras that is.
    monkeypatch.setattr(
        prune_registry.PruneRegistry,
        "_RNN_CELLS_WEIGHTS_MAP",
        {
            cell: ["kernel", "recurrent_kernel"]
            for cell in (layers.LSTMCell, layers.SimpleRNNCell)
        },
    )
    inputs = keras2.Input((5, 4))
    hidden = layers.LSTM(6, return_sequences=True, name="lstm")(inputs)
    cells = [layers.SimpleRNNCell(5), layers.SimpleRNNCell(4)]
    hidden = layers.RNN(cells, name="stacked")(hidden)
    model = keras2.Model(inputs, layers.Dense(3, name="out")(hidden))
    theirs = tfmot.prune(model, tfmot.constant(0.5, 1, frequency=1))
    compiled(keras2, theirs)
    x, y = support.make_data((5, 4), 64)
    theirs.fit(x, y, verbose=0, callbacks=[tfmot.step()])
    outputs, masks = theirs.predict(x, verbose=0), their_masks(theirs)
    ours = tf_rigl.tfmot.convert(theirs)
    assert_same_masks(ours, masks)
    assert len(masks) == 7
    assert "lstm/lstm_cell/kernel" in tf_rigl.masks(ours)
    np.testing.assert_array_equal(ours.predict(x, verbose=0), outputs)
    ours.fit(x, y, verbose=0)
    support.assert_masked(ours, slots_too=False)


def test_custom_layer_embedding_and_a_layer_wrapped_by_itself(tfmot, keras2):
    class Scale(keras2.layers.Layer, tfmot.protocol):
        def build(self, input_shape):
            self.table = self.add_weight(name="table", shape=input_shape[1:])
            self.other = self.add_weight(name="other", shape=input_shape[1:])
            self.bias = self.add_weight(name="bias", shape=input_shape[-1:])
            super().build(input_shape)

        def call(self, inputs):
            return inputs * self.table + inputs**2 * self.other + self.bias

        def get_prunable_weights(self):
            return [self.table, self.other]

    layers = keras2.layers
    schedule = tfmot.constant(0.5, 1, frequency=1)
    inputs = keras2.Input((6,), dtype="int32")
    hidden = layers.Embedding(50, 8, name="embedding")
    hidden = tfmot.prune(hidden, schedule)(inputs)
    hidden = tfmot.prune(Scale(name="scale"), schedule)(hidden)
    hidden = layers.Dense(7, name="dense")(layers.Flatten()(hidden))
    outputs = tfmot.prune(layers.Dense(3, name="out"), schedule)(hidden)
    theirs = compiled(keras2, keras2.Model(inputs, outputs))
    tokens = np.random.default_rng(0).integers(0, 50, (64, 6))
    theirs.fit(tokens, tokens[:, 0] % 3, verbose=0, callbacks=[tfmot.step()])
    masks = their_masks(theirs)
    ours = tf_rigl.tfmot.convert(theirs)
    assert_same_masks(ours, masks)
    assert set(tf_rigl.masks(ours)) == {
        "embedding/embeddings",
        "scale/table",
        "scale/other",
        "out/kernel",
    }


def test_subclassed_model_keeps_its_class(tfmot, keras2):
    schedule = tfmot.constant(0.5, 0, frequency=2)

    class Mine(keras2.Model):
        def __init__(self):
            super().__init__()
            self.first = tfmot.prune(keras2.layers.Dense(12), schedule)
            self.blocks = [
                tfmot.prune(keras2.layers.Dense(12), schedule),
                keras2.layers.ReLU(),
            ]
            self.heads = {
                "a": (tfmot.prune(keras2.layers.Dense(10), schedule),)
            }

        def call(self, inputs):
            hidden = self.first(inputs)
            for block in self.blocks:
                hidden = block(hidden)
            return self.heads["a"][0](hidden)

    theirs = compiled(keras2, Mine())
    inputs, _ = data()
    theirs(inputs[:2])
    # TFMOT's callback finds no wrappers in such a model's lists.
    for wrapper in wrappers(theirs):
        wrapper.pruning_step.assign(0)
    fit(theirs)
    outputs, masks = theirs.predict(inputs, verbose=0), their_masks(theirs)
    assert len(masks) == 3
    ours = tf_rigl.tfmot.convert(theirs)
    assert ours is theirs and isinstance(ours, Mine)
    assert_no_wrappers(ours)
    assert_same_masks(ours, masks)
    np.testing.assert_array_equal(ours.predict(inputs, verbose=0), outputs)
    fit(ours, [rigl()])
    support.assert_masked(ours)


def test_weights_saved_and_loaded(tfmot, keras2, tmp_path):
    """What is taken over is saved as any sparse model, without TFMOT."""
    theirs = pruned(
        tfmot, sequential(keras2), tfmot.constant(0.7, 0, frequency=2)
    )
    ours = tf_rigl.tfmot.convert(theirs)
    ours.save(tmp_path / "model.keras")
    loaded = keras2.models.load_model(tmp_path / "model.keras")
    support.assert_same_masks(tf_rigl.masks(loaded), tf_rigl.masks(ours))
    inputs, _ = data()
    np.testing.assert_array_equal(loaded(inputs), ours(inputs))
    assert [record.target for record in masked_weights(loaded)] == [
        record.target for record in masked_weights(ours)
    ]


def test_pruning_that_has_not_begun_is_a_dense_start(tfmot, keras2):
    schedule = tfmot.polynomial(0.2, 0.8, 100, 200)
    theirs = pruned(tfmot, sequential(keras2), schedule)
    ours = tf_rigl.tfmot.convert(theirs)
    method = tf_rigl.tfmot.pruning(schedule)
    for record in masked_weights(ours):
        assert record.num_active() == record.size
        assert record.target == method.kept(record.size, [200])[0]
    with pytest.raises(ValueError, match="has all of its connections"):
        fit(ours, [rigl()])


def test_replicas(tfmot, keras2, two_replicas):
    with two_replicas.scope():
        theirs = tfmot.prune(
            sequential(keras2), tfmot.constant(0.5, 0, frequency=2)
        )
        compiled(keras2, theirs)
    fit(theirs, [tfmot.step()])
    masks = masks_in_order(theirs)
    ours = tf_rigl.tfmot.convert(theirs)
    for record, mask in zip(masked_weights(ours), masks, strict=True):
        np.testing.assert_array_equal(record.mask.numpy(), mask == 1)
    counts = support.counts(ours)
    fit(ours, [rigl()])
    assert support.counts(ours) == counts
    assert support.moved(ours) > 0


# Structures.


@pytest.mark.parametrize("size", [(4, 2), (3, 4)])
def test_blocks_become_blocks(tfmot, keras2, size):
    theirs = pruned(
        tfmot,
        sequential(keras2),
        tfmot.polynomial(0.2, 0.7, 0, 6, frequency=2),
        block_size=size,
        block_pooling_type="MAX",
    )
    masks = their_masks(theirs)
    ours = tf_rigl.tfmot.convert(theirs)
    assert_same_masks(ours, masks)

    def active(record):
        # The first element of each block, the ones that are cut off included.
        return int(record.mask.numpy()[:: size[0], :: size[1]].sum())

    counts = [active(record) for record in masked_weights(ours)]
    for record, count in zip(masked_weights(ours), counts, strict=True):
        assert record.structure == tf_rigl.Block(*size, "max")
        shape = record.layout.shape
        assert record.structure.active_units(shape, record.target) == count
        if size == (4, 2):
            assert record.num_active() == record.target
    fit(ours, [rigl()], epochs=2)
    assert [active(record) for record in masked_weights(ours)] == counts
    assert support.moved(ours) > 0


def test_m_by_n_becomes_n_by_m(tfmot, keras2):
    layers = keras2.layers
    inputs = keras2.Input((20,))
    hidden = layers.Reshape((1, 5, 4))(inputs)
    hidden = layers.Conv2D(8, (1, 3), activation="relu")(hidden)
    outputs = layers.Dense(10)(layers.Flatten()(hidden))
    theirs = pruned(
        tfmot,
        keras2.Model(inputs, outputs),
        tfmot.constant(0.5, 0),
        sparsity_m_by_n=(1, 4),
    )
    masks = their_masks(theirs)
    ours = tf_rigl.tfmot.convert(theirs)
    assert_same_masks(ours, masks)
    for record in masked_weights(ours):
        assert record.structure == tf_rigl.NByM(3, 4)
        assert record.num_active() == record.target == record.size * 3 // 4
    counts = support.counts(ours)
    fit(ours, [rigl()], epochs=2)
    assert support.counts(ours) == counts


def test_m_by_n_that_does_not_fit(tfmot, keras2):
    theirs = pruned(
        tfmot,
        support.make_mlp(keras2, (22,)),
        tfmot.constant(0.5, 0),
        sparsity_m_by_n=(2, 4),
    )
    with pytest.raises(ValueError, match="multiple of 4 inputs"):
        tf_rigl.tfmot.convert(theirs)


def test_other_masks_than_blocks(tfmot, keras2):
    theirs = pruned(
        tfmot,
        sequential(keras2),
        tfmot.constant(0.5, 0, frequency=2),
        block_size=(2, 2),
    )
    mask = wrappers(theirs)[0].pruning_vars[0][1]
    mask.assign(
        np.arange(mask.shape.num_elements()).reshape(mask.shape) % 3 > 0
    )
    with pytest.raises(ValueError, match="must have the structure"):
        tf_rigl.tfmot.convert(theirs)


# Schedules.


class Watch:
    """A callback that notes the connections in each forward pass."""

    def __init__(self, keras, count, before):
        notes, losses = [], []

        class Callback(keras.callbacks.Callback):
            def on_train_batch_begin(self, batch, logs=None):
                if before:
                    notes.append(count(self.model))

            def on_train_batch_end(self, batch, logs=None):
                losses.append(logs["loss"])
                if not before:
                    notes.append(count(self.model))

        self.callback, self.notes, self.losses = Callback(), notes, losses


def watch_both(tfmot, keras, schedule, make, epochs):
    """Trains a model twice, by TFMOT and by this library."""
    keras.utils.set_random_seed(3)
    theirs = tfmot.prune(make(keras), schedule)
    compiled(keras, theirs)
    # A wrapper updates its mask before its forward pass.
    one = Watch(keras, their_counts, before=False)
    fit(theirs, [tfmot.step(), one.callback], epochs)
    keras.utils.set_random_seed(3)
    ours = tf_rigl.tfmot.prepare(make(keras), schedule)
    compiled(keras, ours)
    two = Watch(keras, our_counts, before=True)
    method = tf_rigl.tfmot.pruning(schedule)
    fit(ours, [tf_rigl.UpdateMasks(method), two.callback], epochs)
    return one, two, theirs, ours


SCHEDULES = [
    ("polynomial", (0.3, 0.9, 0, 20), {"frequency": 4}),
    ("polynomial", (0.1, 0.9, 5, 20), {"frequency": 1, "power": 1}),
    ("constant", (0.75, 1, 9), {"frequency": 100}),
]
SLOW_SCHEDULES = [
    ("polynomial", (0.0, 0.87, 1, 17), {"frequency": 3}),
    ("polynomial", (0.5, 0.95, 2, 21), {"frequency": 7, "power": 2.5}),
    ("constant", (0.8, 0), {"frequency": 5}),
]


@pytest.mark.parametrize(
    ("kind", "arguments", "options"),
    [
        *SCHEDULES,
        *(pytest.param(*one, marks=pytest.mark.slow) for one in SLOW_SCHEDULES),
    ],
)
def test_as_many_connections_as_tfmot_in_every_batch(
    tfmot, keras2, kind, arguments, options
):
    schedule = getattr(tfmot, kind)(*arguments, **options)
    one, two, _, ours = watch_both(tfmot, keras2, schedule, sequential, 4)
    assert len(one.notes) == len(two.notes) == 24
    assert two.notes == one.notes
    assert len({tuple(note) for note in one.notes}) > 1 or arguments[1] == 1
    # The same until TFMOT first prunes a model that has masks.
    seen = [i for i in range(1, 24) if one.notes[i] != one.notes[i - 1]]
    same = seen[1] if len(seen) > 1 else 4
    np.testing.assert_array_equal(one.losses[:same], two.losses[:same])
    for record in masked_weights(ours):
        assert record.target == support.counts(ours)[record.path]


@pytest.mark.parametrize("power", [1, 2, 3, 0.5, 2.7])
def test_counts_of_tfmot_in_a_graph(tfmot, power):
    """★ k = max(round(n · (1 - s)), 1) up to four million elements."""
    random = np.random.default_rng(int(power * 10))
    for size in (7, 1_234_567, 4_000_000):
        begin, span = (
            int(random.integers(0, 50)),
            int(random.integers(60, 9000)),
        )
        frequency = max(1, span // 15)
        initial, final = random.uniform(0, 0.4), random.uniform(0.5, 0.99)
        schedule = tfmot.polynomial(
            initial, final, begin, begin + span, power, frequency
        )
        step = tf.Variable(0, dtype=tf.int64)
        found = tf.Variable(-1)

        @tf.function
        def update(schedule=schedule, size=size, step=step, found=found):
            def assign():
                kept = tf.cast(size, tf.float32) * (1 - schedule(step)[1])
                kept = tf.maximum(tf.round(kept), 1)
                found.assign(tf.cast(kept, tf.int32))
                return tf.no_op()

            tf.cond(schedule(step)[0], assign, tf.no_op)
            return found.read_value()

        times = np.arange(begin, begin + span + 1, frequency)
        expected = []
        for time in times:
            step.assign(time)
            expected.append(int(update()))
        method = tf_rigl.tfmot.pruning(schedule)
        np.testing.assert_array_equal(method.kept(size, times), expected)


def test_from_configuration(tfmot):
    schedule = tfmot.polynomial(0.1, 0.9, 10, 90, 2, 5)
    expected = TFMOTPruning(0.1, 0.9, 10, 90, 5, 2)
    assert tf_rigl.tfmot.pruning(schedule) == expected
    assert tf_rigl.tfmot.pruning(schedule.get_config()) == expected
    assert TFMOTPruning(**expected.get_config()) == expected
    constant = tfmot.constant(0.4, 3)
    expected = TFMOTPruning(0.4, 0.4, 3, -1, 100)
    assert tf_rigl.tfmot.pruning(constant) == expected
    assert tf_rigl.tfmot.pruning(constant, offset=7).offset == 7


@pytest.mark.parametrize("fresh_optimizer", [False, True])
def test_goes_on_halfway_through_a_schedule(tfmot, keras2, fresh_optimizer):
    schedule = tfmot.polynomial(0.2, 0.9, 0, 24, frequency=3)
    keras2.utils.set_random_seed(5)
    reference = tfmot.prune(sequential(keras2), schedule)
    compiled(keras2, reference)
    one = Watch(keras2, their_counts, before=False)
    fit(reference, [tfmot.step(), one.callback], 5)

    keras2.utils.set_random_seed(5)
    half = pruned(tfmot, sequential(keras2), schedule, epochs=2)
    if fresh_optimizer:
        compiled(keras2, half)
    method = tf_rigl.tfmot.pruning(half)
    assert method.offset == (12 if fresh_optimizer else 0)
    ours = tf_rigl.tfmot.convert(half, keep_pruning=True)
    two = Watch(keras2, our_counts, before=True)
    fit(ours, [tf_rigl.UpdateMasks(method), two.callback], 3)
    assert two.notes == one.notes[12:]
    assert all(r.num_active() == r.target for r in masked_weights(ours))


def test_an_update_that_is_due_is_made_on_the_way(tfmot, keras2):
    schedule = tfmot.polynomial(0.2, 0.9, 1, 13, frequency=6)
    theirs = pruned(tfmot, sequential(keras2), schedule, epochs=2)
    masks = their_masks(theirs)
    # The last one comes before the 13th batch.
    ours = tf_rigl.tfmot.convert(theirs, keep_pruning=True)
    for record in masked_weights(ours):
        before = masks[id(record.storage.variable)] == 1
        assert record.num_active() == record.target < before.sum()
        assert not np.any(record.mask.numpy() & ~before)
    support.assert_masked(ours, slots_too=False)


# The other Keras, policies, errors.


def test_schedule_of_tfmot_prunes_a_model_of_either_keras(tfmot, keras):
    schedule = tfmot.polynomial(0.2, 0.9, 0, 12, frequency=2)
    model = tf_rigl.tfmot.prepare(support.make_mlp(keras), schedule)
    method = tf_rigl.tfmot.pruning(schedule)
    assert all(m.all() for m in tf_rigl.masks(model).values())
    support.train(keras, model, method)
    for record in masked_weights(model):
        expected = max(round(np.float32(record.size) * np.float32(1 - 0.9)), 1)
        assert record.num_active() == record.target == expected
    support.assert_masked(model)


def test_model_that_is_built_later(tfmot, keras2):
    schedule = tfmot.polynomial(0.2, 0.9, 0, 4, frequency=2)
    model = tf_rigl.tfmot.prepare(built_late(keras2), schedule)
    compiled(keras2, model)
    method = tf_rigl.tfmot.pruning(schedule)
    fit(model, [tf_rigl.UpdateMasks(method)])
    assert support.counts(model)["dense/kernel"] == 24
    with pytest.raises(ValueError, match="needs a model that is built"):
        tf_rigl.tfmot.prepare(built_late(keras2), tfmot.constant(0.5, 1))


def mobile(keras):
    """The smallest network that XNNPACK's sparse kernels accept."""
    layers = keras.layers
    inputs = keras.Input((8, 8, 3))
    hidden = layers.ZeroPadding2D(1)(inputs)
    hidden = layers.Conv2D(8, 3, 2, "valid", name="stem")(hidden)
    hidden = layers.Conv2D(16, 1, name="first")(hidden)
    hidden = layers.DepthwiseConv2D(3, padding="same", name="deep")(hidden)
    hidden = layers.Conv2D(24, 1, name="second")(hidden)
    hidden = layers.GlobalAveragePooling2D(keepdims=True)(hidden)
    outputs = layers.Flatten()(layers.Conv2D(10, 1, name="head")(hidden))
    return keras.Model(inputs, layers.Dense(3, name="dense")(outputs))


def test_policy_of_tfmot(tfmot, keras2):
    policy = tfmot.policy()
    model = mobile(keras2)
    tf_rigl.sparsify(
        model, 0.5, dense=tf_rigl.tfmot.dense_layers(policy, model)
    )
    theirs = tfmot.prune(
        mobile(keras2), tfmot.constant(0.5, 0), pruning_policy=policy
    )
    theirs_pruned = {w.layer.name for w in wrappers(theirs)}
    ours = {r.owner.name for r in masked_weights(model) if r.target < r.size}
    assert ours == theirs_pruned == {"first", "second", "head"}
    like = tf_rigl.tfmot.prepare(mobile(keras2), tfmot.constant(0.5, 0), policy)
    targets = {r.owner.name: r.target for r in masked_weights(like)}
    assert targets["first"] == 64 and targets["stem"] == 216


def test_policy_speaks_of_whole_layers_in_nested_models(keras):
    class Policy:
        def allow_pruning(self, layer):
            return isinstance(layer, keras.layers.Dense)

        def ensure_model_supports_pruning(self, model):
            assert model.name == "outer"

    recurrent = keras.Sequential(
        [keras.Input((5, 4)), keras.layers.LSTM(6), keras.layers.Dense(5)]
    )
    inputs = keras.Input((5, 4))
    model = keras.Model(
        inputs,
        keras.layers.Dense(3, name="out")(recurrent(inputs)),
        name="outer",
    )
    dense = tf_rigl.tfmot.dense_layers(Policy(), model)
    tf_rigl.sparsify(model, 0.1, dense=dense)
    sparse = {
        type(r.owner).__name__: r.target < r.size for r in masked_weights(model)
    }
    assert sparse == {"Dense": True, "LSTMCell": False}


def test_policy_errors(tfmot, keras2):
    import keras as keras3

    policy = tfmot.policy()
    with pytest.raises(ValueError, match=r"tf_keras only\. Received: policy="):
        tf_rigl.tfmot.dense_layers(policy, mobile(keras3))
    with pytest.raises(ValueError, match="Could not find"):
        tf_rigl.tfmot.dense_layers(policy, sequential(keras2))
    with pytest.raises(TypeError, match="`policy` must be an object with"):
        tf_rigl.tfmot.dense_layers("xnnpack", sequential(keras2))


def test_errors_of_models(tfmot, keras2):
    import keras as keras3

    with pytest.raises(ValueError, match=r"of tf_keras\. Received: .*`keras`"):
        tf_rigl.tfmot.convert(support.make_mlp(keras3))
    with pytest.raises(ValueError, match="must have layers that TFMOT's"):
        tf_rigl.tfmot.convert(sequential(keras2))
    with pytest.raises(TypeError, match="`model` must be a Keras model"):
        tf_rigl.tfmot.convert(keras2.layers.Dense(3))
    unbuilt = tfmot.prune(built_late(keras2), tfmot.constant(0.5, 0))
    with pytest.raises(ValueError, match=r"must be built.*Call it on a batch"):
        tf_rigl.tfmot.convert(unbuilt)
    local = keras2.Sequential(
        [keras2.Input((8, 2)), keras2.layers.LocallyConnected1D(3, 2)]
    )
    local = tfmot.prune(local, tfmot.constant(0.5, 0))
    with pytest.raises(
        ValueError, match=r"one that may be sparse here.*kernel"
    ):
        tf_rigl.tfmot.convert(local)


def test_errors_of_schedules(tfmot, keras2):
    def convert(*arguments, **options):
        tf_rigl.tfmot.pruning(tfmot.polynomial(*arguments, **options))

    with pytest.raises(ValueError, match=r"not below .* final_sparsity=0.1"):
        convert(0.5, 0.1, 0, 10)
    with pytest.raises(ValueError, match="`end_step` must be after"):
        convert(0.1, 0.5, 10, 10)
    with pytest.raises(ValueError, match=r"`power` must .* power=0"):
        convert(0.1, 0.5, 0, 10, 0)

    class Steps(type(tfmot.constant(0.5, 0))):
        pass

    with pytest.raises(ValueError, match=r"one of .*class_name='Steps'"):
        tf_rigl.tfmot.pruning(Steps(0.5, 0))
    with pytest.raises(TypeError, match=r"schedule=0.5"):
        tf_rigl.tfmot.pruning(0.5)
    model = sequential(keras2)
    with pytest.raises(ValueError, match="must have pruning wrappers"):
        tf_rigl.tfmot.pruning(model)


def test_environment_stays_as_it_is():
    """In a process of its own: TFMOT is never imported by this library."""
    code = (
        "import os, sys\n"
        "before = dict(os.environ)\n"
        "import tf_rigl\n"
        "import tf_keras\n"
        "schedule = {'class_name': 'ConstantSparsity', 'config':\n"
        "    {'target_sparsity': 0.5, 'begin_step': 1}}\n"
        "model = tf_keras.Sequential(\n"
        "    [tf_keras.Input((4,)), tf_keras.layers.Dense(4)])\n"
        "schedule['config'] |= {'end_step': -1, 'frequency': 1}\n"
        "tf_rigl.tfmot.prepare(model, schedule)\n"
        "print(sum(int(m.sum()) for m in tf_rigl.masks(model).values()))\n"
        "try:\n"
        "    tf_rigl.tfmot.convert(model)\n"
        "except ValueError:\n"
        "    print('ValueError')\n"
        "changed = {k for k, v in os.environ.items() if before.get(k) != v}\n"
        "print(sorted(k for k in changed if 'KERAS' in k))\n"
        "print('tensorflow_model_optimization' in sys.modules)\n"
    )
    printed = support.run_python("-c", code).splitlines()
    assert printed == ["8", "ValueError", "[]", "False"]
