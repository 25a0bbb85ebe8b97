import math

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support as training
from tests.diagnostics import support
from tf_rigl.masking.masked_layer import variables_beside
from tf_rigl.masking.masked_weight import masked_weights

BATCHES = 8  # an epoch of `training.batches`
UNRECORDED = tf_rigl.SparsifyOptions(diagnostics=False)


class Reference:
    """Recomputes everything from the masks of each step, with NumPy."""

    def __init__(self, model):
        self.start = tf_rigl.masks(model)
        self.ever = {path: mask.copy() for path, mask in self.start.items()}
        self.masks, self.last = self.start, {}
        self.moved = dict.fromkeys(self.start, 0)

    def see_update(self, masks, gradients):
        for path, mask in masks.items():
            old, gradient = self.masks[path], gradients[path].astype("float64")
            self.ever[path] |= mask
            self.moved[path] += int((mask & ~old).sum())
            self.last[path] = {
                "last_connections": int(mask.sum()),
                "last_kept": int((mask & old).sum()),
                "kept_gradient_norm": np.linalg.norm(gradient[mask & old]),
                "grown_gradient_norm": np.linalg.norm(gradient[mask & ~old]),
            }
        self.masks = masks

    def check(self, result, updates):
        for row in result.rows:
            support.assert_same(row.to_dict(), self.numbers(row.path, updates))

        total, rows = result.total, result.rows
        for name in ("size", "connections", "ever_active", "moved", "units"):
            assert getattr(total, name) == sum(getattr(r, name) for r in rows)
        assert total.updates == updates
        np.testing.assert_allclose(
            total.grown_gradient_norm,
            math.hypot(*(row.grown_gradient_norm for row in rows)),
        )

    def numbers(self, path, updates):
        mask, start, last = self.masks[path], self.start[path], self.last[path]
        both = (mask & start).sum()

        return {
            "density": mask.mean(),
            "exploration": self.ever[path].mean(),
            "overlap_start": both / mask.sum(),
            "jaccard_start": both / (mask | start).sum(),
            "overlap_previous": last["last_kept"] / mask.sum(),
            "size": mask.size,
            "connections": mask.sum(),
            "inputs": mask.shape[0],
            "unused_inputs": int((~mask.any(axis=1)).sum()),
            "units": mask.shape[1],
            "dead_units": int((~mask.any(axis=0)).sum()),
            "updates": updates,
            "moved": self.moved[path],
            "skipped_updates": 0,
            "start_connections": start.sum(),
            "connections_since_start": both,
            "ever_active": self.ever[path].sum(),
            **last,
        }

    def logs(self, moved_before):
        masks = list(self.masks.values())
        size = sum(mask.size for mask in masks)
        connections = sum(int(mask.sum()) for mask in masks)
        since_start = sum(
            int((mask & self.start[path]).sum())
            for path, mask in self.masks.items()
        )
        ever = sum(int(mask.sum()) for mask in self.ever.values())

        moved = sum(self.moved.values()) - moved_before
        return {
            "mask_churn": moved / connections,
            "mask_exploration": ever / size,
            "mask_overlap_start": since_start / connections,
            "dead_units": sum(int((~m.any(axis=0)).sum()) for m in masks),
        }


def gradients_of(keras, model):
    loss_function = training.crossentropy(keras)
    weights = masked_weights(model)

    @tf.function
    def compute(inputs, labels):
        with tf.GradientTape() as tape:
            loss = loss_function(labels, model(inputs, training=True))
        return tape.gradient(loss, [weight.variable for weight in weights])

    def gradients(*batch):
        return {
            weight.path: gradient.numpy()
            for weight, gradient in zip(weights, compute(*batch), strict=True)
        }

    return gradients


@training.keras_in_turn("name", ["RIGL", "SET"])
def test_all_numbers_follow_from_the_masks(keras, name):
    algorithm = getattr(support, name)
    model, optimizer = support.fresh_model(keras), support.sgd(keras)
    tf_rigl.attach(optimizer, model, algorithm)
    step = tf.function(training.make_step(keras, model, optimizer))
    gradients = gradients_of(keras, model)

    reference, updates, logs, moved = Reference(model), 0, [], 0
    for number, batch in enumerate(training.batches() * 2):
        dense = gradients(*batch)
        step(*batch)
        if number % 3 == 0 and number < 12:
            updates += 1
            reference.see_update(tf_rigl.masks(model), dense)
            reference.check(tf_rigl.diagnose(model), updates)
        if number % BATCHES == BATCHES - 1:
            logs.append(reference.logs(moved))
            moved = sum(reference.moved.values())
    assert moved > 100

    history, fitted = support.fit(keras, algorithm=algorithm)
    for epoch, expected in enumerate(logs):
        assert {name: history[name][epoch] for name in expected} == expected
    assert not {"skipped_mask_updates", "sparsity"} & set(history)
    support.assert_same_diagnostics(fitted, tf_rigl.diagnose(model))


def assert_same_fit(found, expected):
    for name in (*support.LOGS, "dead_units"):
        assert found[0][name] == expected[0][name]
    support.assert_same_diagnostics(found[1], expected[1])


@training.one_keras("keras")
def test_logs_hold_what_moves(keras):
    """The sparsity of methods that prune; nothing of masks that stay."""
    model = support.fresh_model(keras, start="dense")
    pruning = tf_rigl.GradualPruning(update_interval=2, stop_step=BATCHES + 1)
    history = training.train(keras, model, pruning, 2).history
    assert 0 < history["sparsity"][0] < history["sparsity"][1]
    total = tf_rigl.diagnose(model).total
    assert history["sparsity"][1] == total.sparsity
    assert history["dead_units"][1] == total.dead_units

    model = support.fresh_model(keras)
    history = training.train(keras, model, tf_rigl.Static(), 1).history
    logged = {name for name in history if "mask" in name}
    assert not logged | {"sparsity", "dead_units"} & set(history)


@training.one_keras("keras")
def test_compiled_and_in_blocks_of_steps_it_is_the_same(keras, expected):
    found = support.fit(keras, steps_per_execution=4, jit_compile=True)
    assert_same_fit(found, expected)


@training.one_keras("keras")
def test_replicas_give_the_same(keras, two_replicas, expected):
    if keras.__version__.startswith("3.6."):
        pytest.skip("Keras 3.6 sums the losses of replicas, dense ones too")
    with two_replicas.scope():
        model, optimizer = support.fresh_model(keras), support.sgd(keras)
        found = support.fit(keras, model, optimizer=optimizer)
    assert_same_fit(found, expected)
    for weight in masked_weights(model):
        for variable in weight.diagnostics.values():
            first, second = two_replicas.experimental_local_results(variable)
            np.testing.assert_array_equal(first.numpy(), second.numpy())


def test_resumed_is_uninterrupted(keras, tmp_path, expected):
    model = support.fresh_model(keras)
    start, before = model.get_weights(), tf_rigl.diagnose(model)
    optimizer = support.sgd(keras)
    training.train(keras, model, support.RIGL, 1, optimizer=optimizer)
    loaded = support.saved_and_loaded(keras, model, tmp_path)
    history, result = support.fit(
        keras, loaded, optimizer=loaded.optimizer, initial_epoch=1
    )
    support.assert_same_diagnostics(result, expected[1])
    for name in support.LOGS:
        assert history[name] == expected[0][name][1:]

    # What is kept is there from the start, so that weights can be set back.
    model.set_weights(start)
    support.assert_same_diagnostics(tf_rigl.diagnose(model), before)


def test_a_start_that_cannot_be_drawn_again_is_saved(keras, tmp_path):
    model = support.fresh_model(keras, start="magnitude")
    assert tf_rigl.diagnose(model).total.overlap_start == 1
    training.train(keras, model, support.SET, 1)
    assert 0 < tf_rigl.diagnose(model).total.overlap_start < 1
    support.saved_and_loaded(keras, model, tmp_path)


@pytest.mark.parametrize(
    ("start", "bits"), [("random", 1), ("dense", 1), ("magnitude", 2)]
)
def test_bytes_at_rest(keras, start, bits):
    """No more than 1.25 an element with the mask, and a few per weight."""
    model = training.make_mlp(keras, (512, 300))
    tf_rigl.sparsify(model, 0.9, start=start)
    weights = masked_weights(model)
    more = sum(
        variable.numpy().nbytes
        for layer in model.layers
        for variable in variables_beside(layer)
    )

    size = sum(weight.size for weight in weights)
    # Counters, the last update, and the rest of a byte.
    extra = more - size - bits * size / 8
    assert 0 <= extra <= (24 + 32 + bits) * len(weights)
    assert more <= 1.25 * size + 64 * len(weights)


def test_nothing_is_kept_where_nothing_is_wanted(keras, expected):
    model = support.fresh_model(keras, options=UNRECORDED)
    assert not any(weight.diagnostics for weight in masked_weights(model))
    history, result = support.fit(keras, model)
    assert "mask_exploration" not in history
    assert history["mask_overlap_start"][-1] == result.total.overlap_start
    assert history["mask_overlap_start"] == expected[0]["mask_overlap_start"]
    assert result.total.exploration is None
    assert result.total.overlap_previous is None
    assert result.total.kept_gradient_norm is None

    late = tf_rigl.diagnose(
        support.fresh_model(keras, start="magnitude", options=UNRECORDED)
    )
    assert late.total.overlap_start is None
    assert late.total.jaccard_start is None
    assert str(late).splitlines()[-1] == "Mask updates: 0, left out: 0"


def test_a_method_with_state_of_its_own_keeps_them(keras):
    model = support.fresh_model(
        keras, options=tf_rigl.SparsifyOptions(keep_initial_values=True)
    )
    before = tf_rigl.diagnose(model)
    training.train(keras, model, tf_rigl.SNFS(**support.SCHEDULE), 1)
    after = tf_rigl.diagnose(model)
    assert after.total.exploration > before.total.exploration
    training.train(keras, model, tf_rigl.Static(), 1)
    support.assert_same_diagnostics(tf_rigl.diagnose(model), after)
    assert {*masked_weights(model)[0].state} == {"initial_values"}


def test_skipped_updates_leave_the_last_one(keras):
    model, optimizer = support.fresh_model(keras), support.sgd(keras)
    algorithm = tf_rigl.RigL(stop_step=9, update_interval=1)
    tf_rigl.attach(optimizer, model, algorithm)
    step = training.make_step(keras, model, optimizer)
    inputs, labels = training.batches()[0]
    step(inputs, labels)
    before = tf_rigl.diagnose(model).total
    step(inputs * np.nan, labels)
    after = tf_rigl.diagnose(model).total
    assert after.skipped_updates == len(masked_weights(model))
    changed = {"skipped_updates": after.skipped_updates}
    assert after.to_dict() == before.to_dict() | changed


def test_dead_units_are_where_the_layer_has_its_units(keras):
    model = keras.Sequential(
        [
            keras.Input((4, 4, 3)),
            keras.layers.Conv2DTranspose(5, 3),
            keras.layers.Conv2D(6, 3),
        ]
    )
    tf_rigl.sparsify(model, 0.5)
    first, second = masked_weights(model)

    # [height, width, units, inputs] and [height, width, inputs, units].
    mask = np.ones((3, 3, 5, 3), bool)
    mask[:, :, 1:3, :] = False
    first.set_mask(mask)
    mask = np.ones((3, 3, 5, 6), bool)
    mask[:, :, 4, :] = mask[:, :, :, 0] = False
    second.set_mask(mask)

    rows = tf_rigl.diagnose(model).rows
    assert [(row.units, row.dead_units) for row in rows] == [(5, 2), (6, 1)]
    assert [(row.inputs, row.unused_inputs) for row in rows] == [(3, 0), (5, 1)]


def test_the_table(keras):
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, name="out")], name="model"
    )
    tf_rigl.sparsify(model, 0.5)
    (weight,) = masked_weights(model)
    mask = weight.mask.numpy()
    dead = int((~mask.any(axis=0)).sum())
    unused = int((~mask.any(axis=1)).sum())
    lines = str(tf_rigl.diagnose(model)).splitlines()
    assert lines[0] == "Masks of 'model'"
    assert lines[4].split() == (
        f"out/kernel 4×3 6 50.00 % {dead} {unused}".split()
    )
    assert lines[10].split() == "out/kernel 0 50.00 % 100.00 %".split()
    assert lines[-1] == "Mask updates: 0, left out: 0"


def test_the_table_fits_eighty_columns(keras):
    name = "stage_4_block_12_depthwise_convolution"
    model = keras.Sequential(
        [keras.Input((400,)), keras.layers.Dense(3000, name=name)]
    )
    text = str(tf_rigl.diagnose(tf_rigl.sparsify(model, 0.5)))
    assert max(map(len, text.splitlines())) <= 80
    assert "600,000" in text


def test_what_has_no_masks_is_refused(keras):
    model = training.make_mlp(keras)
    with pytest.raises(ValueError, match="must have masked weights"):
        tf_rigl.diagnose(model)
    with pytest.raises(TypeError, match="must be a Keras model"):
        tf_rigl.diagnose(model.layers[0])
