"""Scales of normalization layers as masked weights: one for each channel."""

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tests.methods.oracles import slimming as oracle
from tests.updating import slimming_test
from tf_rigl.backend.flavor import flavor_of
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.updating import slots

CHANNELS = (4, 6, 10)
# Two layers lie below all others, and there are ties.
SCALES = (
    (0.5, 0.5, -0.9, 0.7),
    (0.1, -0.1, 0.1, 0.1, 0.1, 0.1),
    (0.6, -0.5, 0.5, 0.8, 0.5, 0.4, 0.3, 0.9, 1.0, 1.1),
)


def make_model(keras, center=True, kind="BatchNormalization", **sparsify):
    layers = keras.layers
    arguments = {"groups": 2} if kind == "GroupNormalization" else {}
    stack = [keras.Input((20,))]
    for number, channels in enumerate(CHANNELS):
        stack += [
            layers.Dense(channels, name=f"dense{number}"),
            getattr(layers, kind)(
                center=center, name=f"normal{number}", **arguments
            ),
            layers.Activation("relu"),
        ]
    model = keras.Sequential([*stack, layers.Dense(3, name="logits")])
    for number, scales in enumerate(SCALES):
        layer = model.get_layer(f"normal{number}")
        layer.gamma.assign(np.array(scales, "float32"))
        if center:
            layer.beta.assign(np.full(len(scales), 0.25, "float32"))
    if sparsify:
        arguments = {"start": "dense", "weights": "scales", **sparsify}
        tf_rigl.sparsify(model, **arguments)
    return model


def kept(model):
    """Indices of the channels left, of each layer."""
    return [
        np.flatnonzero(mask).tolist() for mask in tf_rigl.masks(model).values()
    ]


def assert_shifts_masked(model, optimizer=None):
    """Pruned scales and shifts are 0, and so are their slots."""
    support.assert_masked(model, optimizer)
    for record in masked_weights(model):
        (shift,) = record.followers
        pruned = ~record.mask.numpy()
        assert not np.any(shift.values().numpy()[pruned])
        assert np.all(shift.values().numpy()[~pruned])
        found = slots.slots_of(
            flavor_of(model), optimizer or model.optimizer, shift
        )
        for slot in map(np.array, found):
            assert not np.any(slot[pruned])
            assert np.all(slot[~pruned])


@pytest.mark.parametrize(
    ("sparsity", "left"),
    [
        (0.0, [[0, 1, 2, 3], list(range(6)), list(range(10))]),
        # ⌊.3 · 20⌋ = 6 go, the highest index of equal ones first; layer 1
        # keeps one that is below all that go.
        (0.3, [[0, 1, 2, 3], [0], [0, 1, 2, 3, 4, 5, 7, 8, 9]]),
        (0.5, [[0, 1, 2, 3], [0], [0, 3, 7, 8, 9]]),
        (0.95, [[2], [0], [9]]),
        (1.0, [[2], [0], [9]]),
    ],
)
def test_global_pruning_leaves_each_layer_a_channel(sparsity, left):
    """★ The exact count, ties by lowest index, and never an empty layer."""
    keras = support.fresh_keras("keras")
    model = make_model(keras, sparsity=sparsity)
    tf_rigl.prune(model, "magnitude", scope="global")
    found = kept(model)
    expected = max(20 - int(20 * sparsity), len(CHANNELS))
    assert sum(map(len, found)) == expected
    assert found == left


def test_pruning_of_each_layer_by_itself():
    keras = support.fresh_keras("tf_keras")
    model = make_model(keras, sparsity=0.5)
    tf_rigl.prune(model)
    assert kept(model) == [[2, 3], [0, 1, 2], [0, 3, 7, 8, 9]]
    # A fraction of those that are left, and never the last one.
    tf_rigl.prune(model, amount=0.9)
    assert [len(one) for one in kept(model)] == [1, 1, 1]
    tf_rigl.prune(model, amount=0.9)
    tf_rigl.prune(model, amount=0.9, scope="global")
    assert [len(one) for one in kept(model)] == [1, 1, 1]


@support.one_keras("keras")
@pytest.mark.parametrize(
    "algorithm",
    [
        tf_rigl.Static(),
        pytest.param(tf_rigl.Slimming(1e-3), marks=pytest.mark.slow),
        # Slots of pruned scales are those of any optimizer then.
        pytest.param(None, marks=pytest.mark.slow),
    ],
)
def test_pruned_channels_stay_away_in_fine_tuning(keras, algorithm):
    """★ Pruned γ and β stay 0; with a method, so do their slots."""
    model = make_model(keras, sparsity=0.5)
    support.train(keras, model, tf_rigl.Slimming(1e-3), epochs=1)
    tf_rigl.prune(model, scope="global")
    before = kept(model)
    support.fit(
        model,
        support.make_data((20,)),
        algorithm,
        batch_size=16,
    )
    assert kept(model) == before
    if algorithm is not None:
        assert_shifts_masked(model)
    for number, channels in enumerate(before):
        layer = model.get_layer(f"normal{number}")
        for values in (layer.gamma.numpy(), layer.beta.numpy()):
            assert np.flatnonzero(values).tolist() == channels


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name, marks=[] if name == "momentum" else [pytest.mark.slow]
        )
        for name in oracle.IN_FIT
        if name in ("momentum", "adam", "xla", "replicas", "accumulation")
    ],
)
@support.one_keras("keras")
def test_fine_tuning_is_the_oracle(keras, name, two_replicas):
    """Where channels are pruned, all others are trained as by hand."""
    row = oracle.IN_FIT[name]
    if row.accumulation and keras.__name__ == "tf_keras":
        pytest.skip("tf_keras does not accumulate")
    mask = np.array([True, False, True, False])

    def train():
        model = slimming_test.make_model(keras)
        tf_rigl.sparsify(model, 0.5, weights="scales", start="dense")
        tf_rigl.set_masks(model, {"normalization/gamma": mask})
        slimming_test.fit(keras, model, row)
        return model

    if row.replicas:
        with two_replicas.scope():
            model = train()
    else:
        model = train()
    slimming_test.assert_trained(
        model, oracle.train(row.optimizer, row.parts, mask=mask)
    )


@support.one_keras("tf_keras")
def test_gradual_pruning_of_channels(keras):
    """With the penalty beside it, through a method that exists."""
    model = make_model(keras, sparsity=0.5)
    seen = []

    class Note(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            assert_shifts_masked(self.model)
            seen.append(sum(map(len, kept(self.model))))

    (penalty,) = tf_rigl.Slimming(1e-2).penalties
    method = tf_rigl.GradualPruning(12, 4, scope="global")
    model.compile(
        keras.optimizers.SGD(0.1, momentum=0.9), support.crossentropy(keras)
    )
    support.fit(
        model,
        support.make_data((20,), 256),
        callbacks=[
            tf_rigl.UpdateMasks(method, penalties=[penalty]),
            Note(),
        ],
        batch_size=16,
    )
    counts = [method.connections(n, n // 2) for n in CHANNELS]
    expected = np.repeat(np.sum(counts, 0), 4)[: len(seen)]
    np.testing.assert_array_equal(seen[:13], expected[:13])
    assert seen[-1] == 10
    assert min(map(len, kept(model))) >= 1


def test_masks_travel(tmp_path):
    """Through files, `get_weights`, clones and `strip`; shifts with them."""
    keras = support.fresh_keras("keras")
    model = make_model(keras, sparsity=0.5)
    tf_rigl.prune(model, scope="global")
    model.compile("sgd", "mse")
    inputs, _ = support.make_data((20,))
    expected = model(inputs).numpy()

    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    by_weights = make_model(keras, sparsity=0.5)
    by_weights.load_weights(tmp_path / "model.weights.h5")
    by_arrays = make_model(keras, sparsity=0.5)
    by_arrays.set_weights(model.get_weights())
    for other in (loaded, by_weights, by_arrays):
        assert kept(other) == kept(model)
        np.testing.assert_array_equal(other(inputs).numpy(), expected)
        layer = other.get_layer("normal1")
        layer.beta.assign(np.ones(6, "float32"))
        assert layer.beta.numpy().tolist() == [1, 0, 0, 0, 0, 0]

    tf_rigl.strip(model)
    assert not tf_rigl.masks(model)
    np.testing.assert_array_equal(model(inputs).numpy(), expected)
    layer = model.get_layer("normal1")
    layer.beta.assign(np.ones(6, "float32"))
    assert layer.beta.numpy().all()


@pytest.mark.slow
def test_a_packed_export_computes_the_same(keras, tmp_path):
    model = make_model(keras, sparsity=0.5)
    tf_rigl.prune(model, scope="global")
    inputs, _ = support.make_data((20,))
    tf_rigl.export_saved_model(model, tmp_path / "exported")
    loaded = tf.saved_model.load(str(tmp_path / "exported"))
    serve = loaded.signatures["serving_default"]
    (name,) = serve.structured_input_signature[1]
    (found,) = serve(**{name: tf.constant(inputs)}).values()
    np.testing.assert_array_equal(found.numpy(), model(inputs).numpy())


def test_masks_set_in_an_attached_optimizer():
    keras = support.fresh_keras("keras")
    model = make_model(keras, sparsity=0.5)
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    optimizer.build(model.trainable_variables)
    tf_rigl.attach(optimizer, model, tf_rigl.Slimming())
    step = support.make_step(keras, model, optimizer)
    batch = support.batches()[0]
    step(*batch)
    mask = np.arange(10) % 2 == 0
    tf_rigl.set_masks(model, {"normal2/gamma": mask})
    for _ in range(2):
        assert_shifts_masked(model, optimizer)
        step(*batch)


@pytest.mark.parametrize(
    "kind",
    [
        "GroupNormalization",
        pytest.param("BatchNormalization", marks=pytest.mark.slow),
    ],
)
def test_channels_are_units(kind):
    """What is reported of them; a channel without a shift, too."""
    keras = support.fresh_keras("keras")
    model = make_model(keras, center=False, kind=kind, sparsity=0.5)
    tf_rigl.prune(model, scope="global")
    total = tf_rigl.diagnose(model).total
    assert (total.connections, total.dead_units) == (10, 10)

    found = tf_rigl.profile(model)
    rows = {row.path: row for row in found.rows}
    assert rows["normal1/gamma"].nonzeros == 1
    assert found.nonzeros == found.parameters - 10
    # No kernel is smaller before `shrink` has cut the channels out.
    assert found.macs == found.dense_macs
    record = masked_weights(model)[0]
    assert record.followers == ()
    assert record.fan_in == 1


def test_kernels_are_what_is_masked_otherwise():
    keras = support.fresh_keras("keras")
    model = make_model(keras)
    tf_rigl.sparsify(model, 0.5)
    assert all(path.endswith("kernel") for path in tf_rigl.masks(model))
    # Layers of other masks are left; kernels and scales do not compete.
    tf_rigl.sparsify(model, 0.5, weights="scales", start="dense")
    tf_rigl.prune(model, scope="global")
    counts = support.counts(model)
    kernels = [count for path, count in counts.items() if "kernel" in path]
    sizes = [20 * 4, 4 * 6, 6 * 10, 10 * 3]
    assert sum(kernels) == sum(sizes) // 2
    assert sum(counts.values()) - sum(kernels) == 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weights": "units"}, "weights='units'"),
        ({"sparsity": 1.5}, "sparsity=1.5"),
        ({"structure": tf_rigl.Channel()}, r"structure=Channel"),
        (
            {"options": tf_rigl.SparsifyOptions(scale="layer")},
            "scale='layer'",
        ),
        ({"dense": ["dense0"]}, r"Known weights: \['normal0/gamma'"),
    ],
)
def test_wrong_arguments(arguments, message):
    keras = support.fresh_keras("keras")
    model = make_model(keras)
    arguments = {"sparsity": 0.5, "weights": "scales", **arguments}
    with pytest.raises(ValueError, match=message):
        tf_rigl.sparsify(model, **arguments)
    assert not tf_rigl.masks(model)


def test_layers_may_keep_all_channels():
    keras = support.fresh_keras("keras")
    for sparsity, left in ((0.5, 10), (1.0, 12)):
        model = make_model(keras, sparsity=sparsity, dense=["normal2"])
        counts = support.counts(model)
        assert set(counts.values()) == set(CHANNELS)
        targets = {one.path: one.target for one in masked_weights(model)}
        assert targets["normal2/gamma"] == 10
        assert sum(targets.values()) == max(left, 12)


def test_a_model_without_scales():
    keras = support.fresh_keras("keras")
    with pytest.raises(ValueError, match=r"Received: no such layer\. Build"):
        tf_rigl.sparsify(support.make_mlp(keras), 0.5, weights="scales")
