import numpy as np
import pytest

import tf_rigl
from tests import support
from tf_rigl.backend.flavor import flavor_of
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.updating import slots
from tf_rigl.updating.set_masks import set_masks


def sparse_model(keras, sparsity=0.5, **kwargs):
    model = tf_rigl.sparsify(support.make_mlp(keras, (16,)), sparsity, **kwargs)
    model.compile(keras.optimizers.Adam(0.01), support.crossentropy(keras))
    return model


def random_masks(model, density=0.3, seed=0):
    generator = np.random.default_rng(seed)
    return {
        path: generator.random(mask.shape) < density
        for path, mask in tf_rigl.masks(model).items()
    }


def fit(model, algorithm=None, epochs=1):
    data = support.make_data((20,), 64, classes=10)
    support.fit(model, data, algorithm or tf_rigl.Static(), epochs=epochs)


def test_values_targets_and_later_training_follow(keras):
    model = sparse_model(keras)
    before = {
        record.path: record.values().numpy() for record in masked_weights(model)
    }
    given = random_masks(model)

    assert set_masks(model, given) is model

    support.assert_same_masks(tf_rigl.masks(model), given)
    for record in masked_weights(model):
        kept = given[record.path]
        # New connections start at zero, where values were masked.
        np.testing.assert_array_equal(
            record.values(), np.where(kept, before[record.path], 0)
        )
        assert record.target == record.num_active() == kept.sum()
    fit(model)
    support.assert_same_masks(tf_rigl.masks(model), given)


def test_others_keep_their_masks(keras):
    model = sparse_model(keras)
    before = tf_rigl.masks(model)
    path, *others = before
    set_masks(model, {path: ~before[path]})
    after = tf_rigl.masks(model)
    np.testing.assert_array_equal(after[path], ~before[path])
    for other in others:
        np.testing.assert_array_equal(after[other], before[other])


@support.one_keras("tf_keras")
def test_slots_follow_at_once_in_training(keras):
    model = sparse_model(keras)
    optimizer = tf_rigl.attach(model.optimizer, model, tf_rigl.Static())
    inputs, labels = support.make_data((20,), 64, classes=10)
    model.train_on_batch(inputs, labels)

    given = random_masks(model)
    set_masks(model, given)

    flavor = flavor_of(model)
    for record in masked_weights(model):
        found = list(slots.slots_of(flavor, optimizer, record))
        assert len(found) == 2
        for slot in found:
            assert not np.any(np.asarray(slot)[~given[record.path]])


def test_the_numbers_are_saved(keras, tmp_path):
    model = sparse_model(keras)
    given = random_masks(model)
    set_masks(model, given)
    path = tmp_path / "model.keras"
    model.save(path)

    loaded = keras.models.load_model(path)

    support.assert_same_masks(tf_rigl.masks(loaded), given)
    for record in masked_weights(loaded):
        assert record.target == given[record.path].sum()
    fit(loaded, tf_rigl.RigL(update_interval=1))
    for record in masked_weights(loaded):
        assert record.num_active() == record.target


@support.one_keras("keras")
def test_the_first_masks_are_remembered(keras):
    """`diagnose` draws them again, with the numbers that they had."""
    model = sparse_model(keras)
    before, given = tf_rigl.masks(model), random_masks(model)
    set_masks(model, given)
    shared = sum(np.sum(before[path] & given[path]) for path in given)
    active = sum(mask.sum() for mask in given.values())
    overlap = tf_rigl.diagnose(model).total.overlap_start
    assert overlap == pytest.approx(shared / active)


def test_rounds_of_fixed_masks_trace_once(keras):
    traces = []

    class Traced(keras.layers.Layer):
        def call(self, inputs):
            traces.append(inputs.shape)
            return inputs

    model = keras.Sequential(
        [
            keras.Input((20,)),
            keras.layers.Dense(16),
            Traced(),
            keras.layers.Dense(10),
        ]
    )
    tf_rigl.sparsify(model, 0.0, start="dense")
    model.compile("adam", support.crossentropy(keras))
    fit(model)
    first = len(traces)
    for seed in range(3):
        set_masks(model, random_masks(model, seed=seed))
        fit(model)
    assert len(traces) == first


@support.one_keras("keras")
def test_a_method_that_prunes_sees_the_new_numbers(keras):
    model = sparse_model(keras, 0.5, start="dense")
    fit(model, tf_rigl.OneShot(step=0))
    given = random_masks(model)
    set_masks(model, {path: mask | True for path, mask in given.items()})
    for record in masked_weights(model):
        record.set_target(int(given[record.path].sum()))
    fit(model, tf_rigl.OneShot(step=2))
    for record in masked_weights(model):
        assert record.num_active() == given[record.path].sum()


@support.keras_in_turn(
    "structure",
    [
        tf_rigl.Block(4, 3),
        tf_rigl.NByM(1, 2),
        tf_rigl.ConstantFanIn(),
        tf_rigl.Channel(),
    ],
)
def test_structures(keras, structure):
    arguments = {"structure": structure, "distribution": "uniform"}
    other = sparse_model(keras, seed=1, **arguments)
    model = sparse_model(keras, **arguments)
    of_other = tf_rigl.masks(other).values()
    given = dict(zip(tf_rigl.masks(model), of_other, strict=True))
    set_masks(model, given)
    support.assert_same_masks(tf_rigl.masks(model), given)

    with pytest.raises(ValueError, match=r"must have the structure.*kernel"):
        set_masks(model, random_masks(model))
    support.assert_same_masks(tf_rigl.masks(model), given)


@support.one_keras("keras")
def test_units_that_srigl_has_ablated(keras):
    model = sparse_model(keras, structure=tf_rigl.ConstantFanIn())
    given = tf_rigl.masks(model)
    for mask in given.values():
        mask[..., 0] = False
    set_masks(model, given)
    support.assert_same_masks(tf_rigl.masks(model), given)


def test_two_replicas(keras, two_replicas):
    with two_replicas.scope():
        model = sparse_model(keras)
    given = random_masks(model)
    set_masks(model, given)
    support.assert_same_masks(tf_rigl.masks(model), given)
    support.assert_replicas_masked(model, two_replicas)


def test_errors(keras):
    model = sparse_model(keras)
    before = tf_rigl.masks(model)
    path, other = before

    with pytest.raises(ValueError, match=r"must have masked weights"):
        set_masks(support.make_mlp(keras), {})
    with pytest.raises(TypeError, match=r"must map the paths.*list"):
        set_masks(model, list(before.values()))
    with pytest.raises(ValueError, match=r"\['no'\]. Known weights"):
        set_masks(model, {path: ~before[path], "no": before[path]})
    with pytest.raises(ValueError, match=r"must be bool and have the shape"):
        set_masks(model, {path: ~before[path], other: np.ones((2, 2), bool)})
    with pytest.raises(ValueError, match=r"dtype float64.*array != 0"):
        set_masks(model, {other: before[other].astype(np.float64)})
    tf_rigl.attach(model.optimizer, model, tf_rigl.RigL(stop_step=5))
    with pytest.raises(ValueError, match=r"method 'rigl' on optimizer"):
        set_masks(model, {path: ~before[path]})
    support.assert_same_masks(tf_rigl.masks(model), before)
