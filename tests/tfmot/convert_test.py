"""Taking over models of TFMOT: masks, outputs, optimizers, errors."""

import numpy as np
import pytest

import tf_rigl
from tests import support
from tests.tfmot import takeover
from tf_rigl.backend.flavor import flavor_of
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.updating import slots


@pytest.mark.parametrize(
    "make",
    [
        # All of `schedules_test` converts it.
        pytest.param(make, marks=pytest.mark.slow)
        if make is takeover.sequential
        else make
        for make in takeover.MODELS
    ],
    ids=lambda make: make.__name__,
)
def test_takes_over_masks_outputs_and_optimizer(tfmot, keras2, make):
    model = make(keras2)
    config = model.get_config() if model.built else None
    names = [layer.name for layer in model.layers]
    theirs = takeover.pruned(tfmot, model, tfmot.constant(0.7, 0, frequency=3))
    inputs, _ = takeover.data()
    before = theirs.predict(inputs, verbose=0)
    masks = takeover.their_masks(theirs)
    optimizer, iterations = theirs.optimizer, int(theirs.optimizer.iterations)
    momenta = [v.numpy() for v in optimizer.variables]

    ours = tf_rigl.tfmot.convert(theirs)

    takeover.assert_same_masks(ours, masks)
    counts = support.counts(ours)
    assert counts and all(
        record.num_active() == record.target < record.size
        for record in masked_weights(ours)
    )
    assert [layer.name for layer in ours.layers] == names
    assert ours.name == model.name
    takeover.assert_no_wrappers(ours)
    np.testing.assert_array_equal(ours.predict(inputs, verbose=0), before)
    # The optimizer is the same, slots and all, and goes on.
    assert ours.optimizer is optimizer
    support.assert_all_equal(optimizer.variables, momenta)
    # Diagnostics begin with the takeover.
    assert tf_rigl.diagnose(ours).total.overlap_start == 1
    history = takeover.fit(ours, [takeover.rigl()], epochs=2)
    assert tf_rigl.diagnose(ours).total.exploration > 0.3
    assert 0 < tf_rigl.diagnose(ours).total.overlap_start < 1
    assert int(optimizer.iterations) == iterations + 2 * 6
    assert len(optimizer.variables) == len(momenta)
    assert "accuracy" in history.history
    assert support.counts(ours) == counts
    assert support.moved(ours) > 0
    assert support.assert_masked(ours) > 0
    assert config is None or tf_rigl.strip(ours).get_config() == config


def test_slots_of_connections_are_kept(tfmot, keras2):
    theirs = takeover.pruned(
        tfmot,
        takeover.sequential(keras2),
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


@pytest.mark.slow
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
    takeover.compiled(keras2, theirs)
    x, y = support.make_data((5, 4), 64)
    theirs.fit(x, y, verbose=0, callbacks=[tfmot.step()])
    outputs, masks = theirs.predict(x, verbose=0), takeover.their_masks(theirs)
    ours = tf_rigl.tfmot.convert(theirs)
    takeover.assert_same_masks(ours, masks)
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
    theirs = takeover.compiled(keras2, keras2.Model(inputs, outputs))
    tokens = np.random.default_rng(0).integers(0, 50, (64, 6))
    theirs.fit(tokens, tokens[:, 0] % 3, verbose=0, callbacks=[tfmot.step()])
    masks = takeover.their_masks(theirs)
    ours = tf_rigl.tfmot.convert(theirs)
    takeover.assert_same_masks(ours, masks)
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

    theirs = takeover.compiled(keras2, Mine())
    inputs, _ = takeover.data()
    theirs(inputs[:2])
    # TFMOT's callback finds no wrappers in such a model's lists.
    for wrapper in takeover.wrappers(theirs):
        wrapper.pruning_step.assign(0)
    takeover.fit(theirs)
    outputs, masks = (
        theirs.predict(inputs, verbose=0),
        takeover.their_masks(theirs),
    )
    assert len(masks) == 3
    ours = tf_rigl.tfmot.convert(theirs)
    assert ours is theirs and isinstance(ours, Mine)
    takeover.assert_no_wrappers(ours)
    takeover.assert_same_masks(ours, masks)
    np.testing.assert_array_equal(ours.predict(inputs, verbose=0), outputs)
    takeover.fit(ours, [takeover.rigl()])
    support.assert_masked(ours)


def test_weights_saved_and_loaded(tfmot, keras2, tmp_path):
    theirs = takeover.pruned(
        tfmot, takeover.sequential(keras2), tfmot.constant(0.7, 0, frequency=2)
    )
    ours = tf_rigl.tfmot.convert(theirs)
    ours.save(tmp_path / "model.keras")
    loaded = keras2.models.load_model(tmp_path / "model.keras")
    support.assert_same_masks(tf_rigl.masks(loaded), tf_rigl.masks(ours))
    inputs, _ = takeover.data()
    np.testing.assert_array_equal(loaded(inputs), ours(inputs))
    assert [record.target for record in masked_weights(loaded)] == [
        record.target for record in masked_weights(ours)
    ]


def test_pruning_that_has_not_begun_is_a_dense_start(tfmot, keras2):
    schedule = tfmot.polynomial(0.2, 0.8, 100, 200)
    theirs = takeover.pruned(tfmot, takeover.sequential(keras2), schedule)
    ours = tf_rigl.tfmot.convert(theirs)
    method = tf_rigl.tfmot.pruning(schedule)
    for record in masked_weights(ours):
        assert record.num_active() == record.size
        assert record.target == method.kept(record.size, [200])[0]
    with pytest.raises(ValueError, match="has all of its connections"):
        takeover.fit(ours, [takeover.rigl()])


def test_replicas(tfmot, keras2, two_replicas):
    with two_replicas.scope():
        theirs = tfmot.prune(
            takeover.sequential(keras2), tfmot.constant(0.5, 0, frequency=2)
        )
        takeover.compiled(keras2, theirs)
    takeover.fit(theirs, [tfmot.step()])
    masks = takeover.masks_in_order(theirs)
    ours = tf_rigl.tfmot.convert(theirs)
    for record, mask in zip(masked_weights(ours), masks, strict=True):
        np.testing.assert_array_equal(record.mask.numpy(), mask == 1)
    counts = support.counts(ours)
    takeover.fit(ours, [takeover.rigl()])
    assert support.counts(ours) == counts
    assert support.moved(ours) > 0


def test_errors_of_models(tfmot, keras2):
    import keras as keras3

    with pytest.raises(ValueError, match=r"of tf_keras\. Received: .*`keras`"):
        tf_rigl.tfmot.convert(support.make_mlp(keras3))
    with pytest.raises(ValueError, match="must have layers that TFMOT's"):
        tf_rigl.tfmot.convert(takeover.sequential(keras2))
    with pytest.raises(TypeError, match="`model` must be a Keras model"):
        tf_rigl.tfmot.convert(keras2.layers.Dense(3))
    unbuilt = tfmot.prune(takeover.built_late(keras2), tfmot.constant(0.5, 0))
    with pytest.raises(ValueError, match=r"must be built.*Call it on a batch"):
        tf_rigl.tfmot.convert(unbuilt)


def test_a_layer_of_its_own_kind(tfmot, keras2):
    local = keras2.Sequential(
        [keras2.Input((8, 2)), keras2.layers.LocallyConnected1D(3, 2)]
    )
    theirs = tfmot.prune(local, tfmot.constant(0.5, 0))
    [record] = masked_weights(tf_rigl.tfmot.convert(theirs))
    assert record.num_active() == record.size
