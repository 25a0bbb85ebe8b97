"""What other libraries show of training and no other test of ours does.

`tests/peer_behaviors.py` lists all such behaviors, each with its tests.
"""

import itertools
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tests import zoo
from tf_rigl.backend.flavor import flavor_of
from tf_rigl.masking.masked_weight import masked_weights


def take_steps(keras, model, algorithm, number, optimizer=None):
    """Trains step by step and yields the number of each, from 0."""
    optimizer = optimizer or keras.optimizers.SGD(0.1)
    tf_rigl.attach(optimizer, model, algorithm)
    step = support.make_step(keras, model, optimizer)
    for index, batch in zip(
        range(number), itertools.cycle(support.batches()), strict=False
    ):
        step(*batch)
        yield index


def plain_clone(keras, model, units):
    """A dense model with the values of a sparse one, zeros included."""
    clone = support.make_mlp(keras, units)
    clone.set_weights([weight.numpy() for weight in model.trainable_weights])
    return clone


def kernel_gradients(keras, model, batch):
    """Of the kernels, on one batch."""
    inputs, labels = batch
    kernels = [layer.kernel for layer in model.layers if layer.weights]
    with tf.GradientTape() as tape:
        loss = support.crossentropy(keras)(labels, model(inputs, training=True))
    return [gradient.numpy() for gradient in tape.gradient(loss, kernels)]


def snapshot(model):
    """Everything that a step may change, as bytes."""
    variables = [*model.variables, *getattr(model.optimizer, "variables", [])]
    return [np.asarray(variable).tobytes() for variable in variables]


@pytest.mark.parametrize(
    "algorithm",
    [
        tf_rigl.SET(4, 1, drop_fraction=0),
        tf_rigl.RigL(4, 2, drop_fraction=0, start_step=1),
        tf_rigl.RigL(5, 3, drop_fraction=0, start_step=2),
    ],
    ids=["every_step", "from_1_by_2", "from_2_by_3"],
)
def test_nothing_to_drop_nothing_moves(algorithm):
    """★ With a drop fraction of 0 updates leave every mask as it is."""
    import keras

    model = tf_rigl.sparsify(support.make_mlp(keras, (9,)), 0.7)
    before = tf_rigl.masks(model)
    for _ in take_steps(keras, model, algorithm, 5):
        support.assert_same_masks(tf_rigl.masks(model), before)
    assert masked_weights(model)[0].counters.numpy()[0] > 0


@pytest.mark.parametrize("momentum", [0, 0.5, 1])
def test_momentum_of_the_dense_gradient(momentum):
    """★ SNFS averages m · v + (1 - m) · g from 0, in every step.

    ★ g is the gradient of an unmasked clone with the same values.
    """
    import keras

    model = tf_rigl.sparsify(support.make_mlp(keras, (9,)), 0.7)
    algorithm = tf_rigl.SNFS(2, 2, momentum=momentum)
    average = [np.zeros(w.raw.shape) for w in masked_weights(model)]
    batches = support.batches()
    clone = plain_clone(keras, model, (9,))
    for step in take_steps(keras, model, algorithm, 4):
        gradients = kernel_gradients(keras, clone, batches[step])
        clone = plain_clone(keras, model, (9,))
        for index, weight in enumerate(masked_weights(model)):
            average[index] = (
                momentum * average[index] + (1 - momentum) * gradients[index]
            )
            assert np.any(gradients[index][~weight.mask.numpy()])
            np.testing.assert_allclose(
                weight.state["momentum"].numpy(),
                average[index],
                rtol=1e-5,
                atol=1e-8,
            )


def test_snip_prunes_the_least_sensitive_once(keras):
    """★ Dense, then floor(s · n) zeros where |g · w| is least, for good."""
    model = support.make_mlp(keras, (13,))
    tf_rigl.sparsify(
        model, 0.77, tf_rigl.Uniform(budget="reference"), start="dense"
    )
    assert all(np.all(mask) for mask in tf_rigl.masks(model).values())
    values = [w.raw.numpy() for w in masked_weights(model)]
    gradients = kernel_gradients(keras, model, support.batches()[0])
    for step in take_steps(keras, model, tf_rigl.SNIP(scope="weight"), 5):
        masks = tf_rigl.masks(model)
        if step == 0:
            first = masks
        support.assert_same_masks(masks, first)
    # 0.77 · 260 = 200.2 and 0.77 · 130 = 100.1.
    assert [np.sum(~mask) for mask in first.values()] == [200, 100]
    for value, gradient, mask in zip(
        values, gradients, first.values(), strict=True
    ):
        sensitivity = np.abs(value * gradient)
        assert sensitivity[mask].min() >= sensitivity[~mask].max()


def test_dnw_keeps_the_largest_of_all_that_it_trains(keras):
    """★ Exact counts in each step, the removed no larger than the kept.

    ★ The gradient that trains the removed is dense.
    """
    model = support.make_mlp(keras, (13,))
    tf_rigl.sparsify(
        model, 0.77, tf_rigl.Uniform(budget="reference"), start="dense"
    )
    batches, clone, before = support.batches(), None, []
    for step in take_steps(keras, model, tf_rigl.DNW(), 5):
        values = []
        for weight, zeros in zip(
            masked_weights(model), (200, 100), strict=True
        ):
            mask, raw = weight.mask.numpy(), weight.raw.numpy()
            assert np.sum(~mask) == zeros
            inactive = weight.state["inactive_values"].numpy()
            assert np.abs(raw[mask]).min() >= np.abs(inactive[~mask]).max()
            values.append(np.where(mask, raw, inactive))
        if clone is not None:
            gradients = kernel_gradients(keras, clone, batches[step])
            for new, old, gradient in zip(
                values, before, gradients, strict=True
            ):
                np.testing.assert_allclose(
                    new, old - 0.1 * gradient, rtol=1e-5, atol=1e-7
                )
        before, clone = values, plain_clone(keras, model, (13,))


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_slots_are_zero_at_new_connections_only(keras, name):
    """★ Fresh where a connection is new, as they were at all others."""
    model = tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.7)
    options = {"momentum": 0.9} if name == "SGD" else {}
    optimizer = getattr(keras.optimizers, name)(0.01, **options)
    algorithm = tf_rigl.RigL(9, 9, start_step=4, drop_fraction=0.5)
    flavor = flavor_of(model)
    for step in take_steps(keras, model, algorithm, 5, optimizer):
        slots = [
            (weight, flavor.raw(slot).numpy())
            for weight in masked_weights(model)
            for slot in support.slots.slots_of(flavor, optimizer, weight)
        ]
        if step == 3:
            before, masks = slots, tf_rigl.masks(model)
    assert len(slots) == len(before) == (2 if name == "SGD" else 4)
    for (weight, new), (_, old) in zip(slots, before, strict=True):
        mask = weight.mask.numpy()
        grown = mask & ~masks[weight.path]
        assert np.any(grown)
        assert not np.any(new[grown])
        np.testing.assert_array_equal(new[mask & ~grown], old[mask & ~grown])
        assert np.mean(new[mask & ~grown] != 0) > 0.5


def test_pruning_follows_a_sparsity_that_depends_on_the_step(keras):
    """★ Of 100: 100, 90, 90, 70, 70, 50, and past the end nothing more."""
    model = support.make_mlp(keras, (), outputs=5)
    tf_rigl.sparsify(model, 0.5, start="dense")
    algorithm = tf_rigl.GradualPruning(
        5, 2, start_step=1, initial_sparsity=0.1, power=1
    )
    counts = []
    for step in take_steps(keras, model, algorithm, 9):
        support.assert_masked(model)
        counts += support.counts(model).values()
        if step == 5:
            last = tf_rigl.masks(model)
    assert counts == [100, 90, 90, 70, 70, 50, 50, 50, 50]
    support.assert_same_masks(tf_rigl.masks(model), last)


def test_polynomial_has_the_published_values():
    """★ Cubic from 0.2 to 0.8: 0.725 halfway; from 0 to 0.5: 0.4375."""
    late = tf_rigl.GradualPruning(110, 5, 100, initial_sparsity=0.2)
    assert late.connections(1000, 200).tolist() == [800, 275, 200]
    early = tf_rigl.GradualPruning(20, 10)
    assert early.connections(10_000, 5_000).tolist() == [10_000, 5_625, 5_000]


def test_sparsity_next_to_a_float_of_32_bits(keras):
    """★ 0.2 of the numbers 1 to 10, give or take 2e-8, are two zeros."""
    model = support.make_mlp(keras, (), outputs=1, inputs=10)
    model.layers[-1].kernel.assign(np.arange(1.0, 11.0).reshape(10, 1))
    tf_rigl.sparsify(model, 0.200000018, start="magnitude")
    (mask,) = tf_rigl.masks(model).values()
    assert mask.ravel().tolist() == [False] * 2 + [True] * 8


@pytest.mark.parametrize("sparsity", [0.99, 0.9999])
def test_extreme_sparsity_keeps_a_connection(sparsity):
    """★ One of 80 and one of 12 remain, drawn at random or pruned to."""
    import keras

    for start, algorithm in (
        ("random", tf_rigl.RigL(2, 1)),
        ("dense", tf_rigl.GradualPruning(1, 1)),
    ):
        model = support.make_mlp(keras, (4,), outputs=3)
        tf_rigl.sparsify(
            model, sparsity, tf_rigl.Uniform(budget="reference"), start=start
        )
        for _ in take_steps(keras, model, algorithm, 2):
            support.assert_masked(model)
        assert list(support.counts(model).values()) == [1, 1]


def test_inference_needs_no_callback_and_advances_nothing(keras):
    """★ `evaluate` and `predict` leave masks, values and counters alone."""
    model = tf_rigl.sparsify(support.make_mlp(keras, (9,)), 0.7)
    inputs, labels = support.make_data((20,))
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    model.compile(optimizer, support.crossentropy(keras))
    before = snapshot(model)
    model.evaluate(inputs, labels, verbose=0)
    np.testing.assert_allclose(
        model.predict(inputs, verbose=0),
        np.asarray(plain_clone(keras, model, (9,))(inputs)),
        rtol=1e-5,
        atol=1e-6,
    )
    assert snapshot(model) == before
    # With an algorithm at work whose next update is due.
    algorithm = tf_rigl.RigL(99, 1)
    for _ in take_steps(keras, model, algorithm, 2, optimizer):
        before = snapshot(model)
        model.evaluate(inputs, labels, verbose=0)
        model.predict(inputs, verbose=0)
        model(inputs, training=False)
        assert snapshot(model) == before


def test_steps_are_batches(keras):
    """★ The counter of steps is that of batches, in `fit` and in a loop.

    Those that update masks instead of weights count as well.
    """
    algorithm = tf_rigl.RigL(stop_step=8, update_interval=3)
    fitted, looped = (
        tf_rigl.sparsify(support.make_mlp(keras, (9,)), 0.7) for _ in range(2)
    )
    support.train(keras, fitted, algorithm, epochs=1)
    assert int(fitted.optimizer.iterations) == 8
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    for step in take_steps(keras, looped, algorithm, 8, optimizer):
        assert int(optimizer.iterations) == step + 1
    for model in (fitted, looped):
        assert masked_weights(model)[0].counters.numpy()[0] == 3
    support.assert_same_masks(tf_rigl.masks(fitted), tf_rigl.masks(looped))


def test_several_inputs(keras):
    """★ A functional model of two inputs is masked, trained and stripped."""
    layers = keras.layers
    inputs = [keras.Input((20,)), keras.Input((7,))]
    hidden = layers.Concatenate()([layers.Dense(6)(one) for one in inputs])
    model = keras.Model(inputs, layers.Dense(3)(hidden))
    tf_rigl.sparsify(model, 0.5)
    before = support.counts(model)
    assert len(before) == 3
    first, labels = support.make_data((20,))
    second, _ = support.make_data((7,))
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    tf_rigl.attach(optimizer, model, tf_rigl.RigL(2, 1))
    step = support.make_step(keras, model, optimizer)
    for _ in range(3):
        step([tf.constant(first), tf.constant(second)], labels)
    support.assert_masked(model, optimizer)
    assert support.counts(model) == before
    assert support.moved(model) > 0


@pytest.mark.parametrize("name", ["sequential", "nested"])
def test_strip_gives_the_configuration_back(keras, name):
    """★ Sequential and functional models are what they were."""
    model = zoo.build(name, keras)
    before = model.get_config()
    tf_rigl.sparsify(model, 0.5)
    assert model.get_config() != before
    assert tf_rigl.strip(model).get_config() == before


def test_masks_survive_json(keras):
    """★ A model of a configuration is built, masked and ready to train."""
    model = tf_rigl.sparsify(zoo.nested(keras), 0.5)
    again = keras.models.model_from_json(model.to_json())
    assert again.built
    support.assert_same_masks(tf_rigl.masks(again), tf_rigl.masks(model))
    support.assert_masked(again)
    for _ in take_steps(keras, again, tf_rigl.RigL(2, 1), 3):
        support.assert_masked(again)
    assert list(support.counts(again).values()) == list(
        support.counts(model).values()
    )


def test_one_mask_for_each_kernel(keras):
    """★ Dense, convolution and embedding have one each; others have none."""
    layers = keras.layers
    inputs = keras.Input((6,), dtype="int32")
    hidden = layers.Embedding(50, 8, name="embedding")(inputs)
    hidden = layers.Reshape((6, 8, 1))(hidden)
    hidden = layers.Conv2D(4, 3, name="convolution")(hidden)
    hidden = layers.BatchNormalization()(layers.Flatten()(hidden))
    hidden = layers.Dense(5, name="hidden")(hidden)
    model = keras.Model(inputs, layers.Dense(3, name="outputs")(hidden))
    tf_rigl.sparsify(
        model, 0.5, options=tf_rigl.SparsifyOptions(include=["embedding"])
    )
    paths = list(tf_rigl.masks(model))
    assert [path.partition("/")[0] for path in paths] == [
        "embedding",
        "convolution",
        "hidden",
        "outputs",
    ]


def test_pretrained_model_with_a_dense_start(keras):
    """★ The same variables give the same outputs until something is pruned."""
    model = support.make_mlp(keras, (9,))
    support.train(keras, model, None, epochs=1)
    inputs, _ = support.make_data((20,))
    before = np.asarray(model(inputs))
    flavor = flavor_of(model)
    raw = [flavor.raw(weight) for weight in model.trainable_weights]
    tf_rigl.sparsify(model, 0.5, start="dense")
    for weight, old in zip(model.trainable_weights, raw, strict=True):
        assert flavor.raw(weight) is old
    np.testing.assert_array_equal(np.asarray(model(inputs)), before)
    for _ in take_steps(keras, model, tf_rigl.OneShot(0), 1, model.optimizer):
        support.assert_masked(model)
    assert np.any(np.asarray(model(inputs)) != before)


def test_loaded_then_sparsified(keras, tmp_path):
    """★ Weights that a plain file brings are those that a dense start has."""
    path = str(tmp_path / "plain.weights.h5")
    plain = support.make_mlp(keras, (9,))
    plain.save_weights(path)
    model = support.make_mlp(keras, (9,))
    model.set_weights([0 * weight for weight in model.get_weights()])
    model.load_weights(path)
    tf_rigl.sparsify(model, 0.5, start="dense")
    inputs, _ = support.make_data((20,))
    np.testing.assert_array_equal(
        np.asarray(model(inputs)), np.asarray(plain(inputs))
    )


@pytest.mark.parametrize(
    ("start", "algorithm"),
    [
        ("random", tf_rigl.RigL(9, 2)),
        ("dense", tf_rigl.GradualPruning(2, 2)),
    ],
    ids=["rigl", "pruning"],
)
def test_files_written_within_an_epoch_are_sparse(
    keras, start, algorithm, tmp_path
):
    """★ After any batch, update or not, a plain model loads exact zeros."""
    model = support.make_mlp(keras, (9,))
    tf_rigl.sparsify(model, 0.7, start=start)
    plain = support.make_mlp(keras, (9,))
    for step in take_steps(keras, model, algorithm, 4):
        path = str(tmp_path / f"{step}.weights.h5")
        model.save_weights(path)
        plain.load_weights(path)
        masks = tf_rigl.masks(model).values()
        kernels = [w for w in plain.get_weights() if w.ndim == 2]
        for kernel, mask in zip(kernels, masks, strict=True):
            assert not np.any(kernel[~mask])
    assert sum(support.counts(model).values()) == 270 - round(0.7 * 270)


@pytest.mark.parametrize("interval", [3, 2], ids=["update", "no_update"])
def test_export_of_the_last_epoch_is_exactly_sparse(keras, interval, tmp_path):
    """★ Also where the very last batch moves connections."""
    model = tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.8)
    algorithm = tf_rigl.RigL(4, interval, decay="constant")
    for step in take_steps(keras, model, algorithm, 4):
        is_last_update = algorithm.schedule.is_update(step)
    assert is_last_update == (interval == 3)
    masks = list(tf_rigl.masks(model).values())
    total = sum(mask.size for mask in masks)
    assert sum(int(np.sum(~mask)) for mask in masks) == round(0.8 * total)
    path = str(tmp_path / "exported.keras")
    tf_rigl.strip(model).save(path)
    loaded = keras.models.load_model(path)
    kernels = [w for w in loaded.get_weights() if w.ndim == 2]
    for kernel, mask in zip(kernels, masks, strict=True):
        assert not np.any(kernel[~mask])


def test_one_device_prunes_and_saves(keras, tmp_path):
    """★ Under its strategy 0 becomes 0.5, which files keep."""
    with tf.distribute.OneDeviceStrategy("CPU:0").scope():
        model = support.make_mlp(keras, (10,))
        tf_rigl.sparsify(model, 0.5, start="dense")
        optimizer = keras.optimizers.SGD(0.1)
        algorithm = tf_rigl.GradualPruning(12, 4)
        support.train(keras, model, algorithm, optimizer=optimizer)
    assert sum(support.counts(model).values()) == 150
    support.assert_masked(model)
    assert_files_keep_masks(keras, model, tmp_path)


def test_files_of_replicas_keep_the_masks(keras, two_replicas, tmp_path):
    """★ Loaded without a strategy; that replicas prune is shown elsewhere."""
    with two_replicas.scope():
        model = tf_rigl.sparsify(support.make_mlp(keras, (10,)), 0.5)
    assert_files_keep_masks(keras, model, tmp_path)


def assert_files_keep_masks(keras, model, folder):
    suffixes = [".keras"] if keras.__name__ == "keras" else [".keras", ".h5"]
    for suffix in suffixes:
        path = str(folder / f"model{suffix}")
        model.save(path)
        loaded = keras.models.load_model(path)
        support.assert_same_masks(tf_rigl.masks(loaded), tf_rigl.masks(model))
        support.assert_masked(loaded, slots_too=False)


TRAINED_MASKS = """
import hashlib

import keras

import tf_rigl
from tests import support

ALGORITHMS = (
    tf_rigl.SET(6, 2, seed=3),
    tf_rigl.RigL(6, 2, drop_noise=1e-3, grow_init="random", seed=3),
)


def trained_masks():
    digest = hashlib.sha256()
    for algorithm in ALGORITHMS:
        model = tf_rigl.sparsify(support.make_mlp(keras, (9,)), 0.7)
        optimizer = keras.optimizers.SGD(0.1)
        tf_rigl.attach(optimizer, model, algorithm)
        step = support.make_step(keras, model, optimizer)
        for batch in support.batches()[:6]:
            step(*batch)
        for mask in tf_rigl.masks(model).values():
            digest.update(mask.tobytes())
    return digest.hexdigest()
"""


def test_updates_do_not_depend_on_the_hash_of_strings():
    """★ Another PYTHONHASHSEED, the same masks after random updates."""
    names = {}
    exec(TRAINED_MASKS, names)
    done = subprocess.run(
        [sys.executable, "-c", TRAINED_MASKS + "\nprint(trained_masks())"],
        env={"PYTHONHASHSEED": "12345", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == names["trained_masks"]()
