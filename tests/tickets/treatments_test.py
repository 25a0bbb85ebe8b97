"""Searches whose pruned weights hold values."""

import json

import numpy as np
import pytest

import tf_rigl
from tests import support
from tests.tickets import search_test
from tf_rigl.checkpointing import optimizer_state
from tf_rigl.masking.masked_weight import masked_weights

ARGUMENTS = {"rounds": 2, "rates": {"logits": 0.1}}


def search_of(model, directory, treatment="movement_all", **arguments):
    arguments = {**ARGUMENTS, "treatment": treatment, **arguments}
    return tf_rigl.TicketSearch(model, directory, **arguments)


def values_by_path(model):
    return {
        record.path: record.values().numpy() for record in masked_weights(model)
    }


@support.keras_in_turn("treatment", ["movement_all", "reshuffled_movement"])
def test_training_leaves_pruned_weights_alone(keras, tmp_path, treatment):
    model = search_test.make_model(keras)
    initial = values_by_path(model)
    search = search_of(model, tmp_path, treatment)
    for level in search:
        masks, first = search.masks(level.number), values_by_path(model)
        search_test.train(model, level)

        last = values_by_path(model)
        assert all(mask.all() for mask in tf_rigl.masks(model).values())
        for path, mask in masks.items():
            np.testing.assert_array_equal(last[path][~mask], first[path][~mask])
            assert np.mean(last[path][mask] != first[path][mask]) > 0.9
            if level.number:
                # Some are zero, and the others as they began.
                frozen = first[path][~mask]
                is_zero = frozen == 0
                assert 0 < is_zero.sum() < frozen.size
                np.testing.assert_array_equal(
                    frozen[~is_zero], initial[path][~mask][~is_zero]
                )

    counts = [one["connections"] for one in search.records()]
    assert [list(one.values()) for one in counts] == [
        [320, 160],
        [256, 144],
        [205, 130],
    ]
    last = search_test.values_of(model)
    search.restore(0)
    search.restore(2)
    support.assert_all_equal(search_test.values_of(model), last)


@support.keras_in_turn("batch", [15, 24, 12, 27], lambda batch: batch != 24)
def test_going_on_where_it_was_stopped(keras, tmp_path, batch):
    """At the beginning of a level, within one, and in a new process's model."""
    whole = search_test.make_model(keras)
    arguments = {"rewind_step": 4, "retrain": "state"}
    expected = search_of(whole, tmp_path / "whole", **arguments)
    for level in expected:
        search_test.train(whole, level)

    class Stop(keras.callbacks.Callback):
        left = batch

        def on_train_batch_begin(self, number, logs=None):
            if not Stop.left:
                raise search_test.Killed
            Stop.left -= 1

    model, directory = search_test.make_model(keras), tmp_path / "stopped"
    with pytest.raises(search_test.Killed):
        for level in search_of(model, directory, save_every=3, **arguments):
            level.callbacks.append(Stop())
            search_test.train(model, level)

    other = search_test.make_model(keras, seed=1)
    search = search_of(other, directory, save_every=3, **arguments)
    for level in search:
        search_test.train(other, level)
    support.assert_all_equal(
        search_test.values_of(other), search_test.values_of(whole)
    )
    for number in range(3):
        support.assert_same_masks(search.masks(number), expected.masks(number))


@pytest.mark.slow
def test_two_replicas(keras, tmp_path, two_replicas):
    with two_replicas.scope():
        model = search_test.make_model(keras)
        search = search_of(model, tmp_path, rounds=1)
        for level in search:
            first = values_by_path(model)
            search_test.train(model, level)
    masks = search.masks(1)
    for record in masked_weights(model):
        of_replicas = two_replicas.experimental_local_results(
            record.storage.variable
        )
        frozen = ~masks[record.path]
        for one in of_replicas:
            np.testing.assert_array_equal(
                one.numpy()[frozen], first[record.path][frozen]
            )


@support.one_keras("tf_keras")
def test_positions_that_never_were(keras, tmp_path):
    """A search may begin sparse: what was masked then stays zero."""
    model = support.make_noisy(keras)
    tf_rigl.sparsify(model, 0.5, "uniform", structure=tf_rigl.Block(1, 2))
    model.compile("sgd", support.crossentropy(keras))
    first = tf_rigl.masks(model)
    search = search_of(model, tmp_path, "initial", rounds=1)
    for level in search:
        search_test.train(model, level, epochs=1)
    for path, values in values_by_path(model).items():
        mask = search.masks(1)[path]
        assert not np.any(values[~first[path]])
        assert np.all(values[first[path] & ~mask])
        assert np.any(first[path] & ~mask)


@support.one_keras("tf_keras")
def test_levels_after_the_first_trace_once(keras, tmp_path):
    model, traces = support.make_traced(keras)
    tf_rigl.sparsify(model, 0.0, start="dense")
    model.compile("adam", support.crossentropy(keras))
    counts = []
    for level in search_of(model, tmp_path, rounds=4):
        search_test.train(model, level, epochs=1)
        counts.append(len(traces))
    assert len(counts) == 5
    assert len(set(counts[1:])) == 1


@support.one_keras("keras")
def test_controls(keras, tmp_path):
    """New values for what is kept; the rest is frozen as in the level."""
    model = search_test.make_model(keras)
    search = search_of(model, tmp_path, "movement")
    for level in search:
        first = values_by_path(model)
        search_test.train(model, level)
    masks = search.masks(2)
    for control in search.control("reinit", level=2):
        found = values_by_path(model)
        search_test.train(model, control)
    after = values_by_path(model)
    for path, mask in masks.items():
        np.testing.assert_array_equal(found[path][~mask], first[path][~mask])
        np.testing.assert_array_equal(after[path][~mask], first[path][~mask])
        assert np.mean(found[path][mask] != first[path][mask]) > 0.9
    assert [one["name"] for one in search.records()][3:] == [
        "control_reinit_02_0"
    ]
    with pytest.raises(ValueError, match="no values to freeze them at"):
        next(search.control("random_mask", level=2))


@support.one_keras("keras")
def test_the_first_slots_of_a_level(keras, tmp_path):
    """Those of the step, where weights are kept."""
    model = search_test.make_model(keras)
    search = search_of(
        model, tmp_path, "initial", rounds=1, rewind_step=4, retrain="state"
    )

    class First(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            for record, momenta in zip(
                masked_weights(model),
                optimizer_state_of_kernels(model),
                strict=True,
            ):
                mask = search.masks(1)[record.path]
                assert not np.any(momenta[~mask])
                assert np.any(momenta[mask])

    for level in search:
        if level.number:
            level.callbacks.append(First())
            assert optimizer_state.steps_taken(model.optimizer) == 4
        search_test.train(model, level)


def optimizer_state_of_kernels(model):
    momenta = [np.asarray(one) for one in model.optimizer.momentums]
    return [one for one in momenta if one.ndim == 2]


@support.one_keras("tf_keras")
def test_a_folder_of_a_former_version(keras, tmp_path):
    """It has no treatment, which was zero."""
    model = search_test.make_model(keras)
    search = tf_rigl.TicketSearch(model, tmp_path, **ARGUMENTS)
    path = tmp_path / "search.json"
    found = json.loads(path.read_text())
    assert found.pop("treatment") == "zero"
    path.write_text(json.dumps(found))

    search = tf_rigl.TicketSearch(model, tmp_path, **ARGUMENTS)
    assert not search.records()
    with pytest.raises(
        ValueError, match="treatment='initial' instead of 'zero'"
    ):
        search_of(model, tmp_path, "initial")


@support.one_keras("keras")
def test_errors(keras, tmp_path):
    model = search_test.make_model(keras)
    with pytest.raises(ValueError, match="`treatment` must be one of"):
        search_of(model, tmp_path, "frozen")
    for retrain in ("learning_rate", "fine_tune"):
        with pytest.raises(ValueError, match="retrain='weights' or 'state'"):
            search_of(model, tmp_path, "initial", retrain=retrain)
    assert not list(tmp_path.iterdir())

    # A loop without the callbacks would train all weights.
    inputs, labels = support.make_data((20,), 32, classes=10)
    search = search_of(model, tmp_path, "initial")
    with pytest.raises(ValueError, match=r"'first/kernel', of which .* have"):
        for level in search:
            model.train_on_batch(inputs, labels)
            level.done({"accuracy": 0.5})
    assert [one["name"] for one in search.records()] == ["level_00"]
