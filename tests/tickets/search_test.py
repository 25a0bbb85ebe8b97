"""The search for tickets: levels, rewinding, controls, resuming."""

import json

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tf_rigl.checkpointing import optimizer_state
from tf_rigl.masking.masked_weight import masked_weights

STEPS = 4
EPOCHS = 3


def make_model(keras, seed=0):
    model = support.make_noisy(keras, dropout=0.2)
    generator = np.random.default_rng(seed)
    for layer in (model.layers[0], model.layers[-1]):
        kernel = layer.kernel
        kernel.assign(0.3 * generator.normal(size=kernel.shape))
    tf_rigl.sparsify(model, 0.0, start="dense")
    schedule = keras.optimizers.schedules.PolynomialDecay(0.05, 12, 0.001)
    model.compile(
        keras.optimizers.SGD(schedule, 0.9),
        support.crossentropy(keras),
        metrics=["accuracy"],
    )
    return model


def data(step=0):
    examples = support.make_data((20,), 128, classes=10)
    dataset = tf.data.Dataset.from_tensor_slices(examples)
    return dataset.batch(32).repeat().skip(step)


def train(model, level, epochs=EPOCHS):
    examples = support.make_data((20,), 64, classes=10, seed=1)
    model.fit(
        data(level.step),
        steps_per_epoch=STEPS,
        epochs=epochs,
        initial_epoch=level.step // STEPS,
        validation_data=tf.data.Dataset.from_tensor_slices(examples).batch(64),
        verbose=0,
        callbacks=level.callbacks,
    )


def run(model, directory, **arguments):
    arguments = {"rounds": 2, "rates": {"logits": 0.1}, **arguments}
    search = tf_rigl.TicketSearch(model, directory, **arguments)
    for level in search:
        train(model, level)
    return search


def values_of(model):
    return [np.array(value) for value in model.get_weights()]


@support.one_keras("tf_keras")
def test_levels_against_a_loop_by_hand(keras, tmp_path):
    """Train, prune, rewind: with the pieces of which a search is made."""
    model = make_model(keras)
    search = run(model, tmp_path)

    by_hand = make_model(keras)
    start = tf_rigl.Snapshot.of(by_hand)
    for number in range(3):
        by_hand.fit(
            data(),
            steps_per_epoch=STEPS,
            epochs=EPOCHS,
            verbose=0,
            callbacks=[tf_rigl.UpdateMasks(tf_rigl.Static())],
        )
        support.assert_same_masks(search.masks(number), tf_rigl.masks(by_hand))
        if number < 2:
            tf_rigl.prune(
                by_hand,
                "large_final",
                amount=0.2,
                rates={"logits": 0.1},
                initial=start.weights,
            )
            start.restore(by_hand)
    support.assert_all_equal(values_of(model), values_of(by_hand))


@support.one_keras("keras")
def test_records_and_table(keras, tmp_path):
    model = make_model(keras)
    search = run(model, tmp_path)
    records = search.records()
    assert [one["name"] for one in records] == [
        "level_00",
        "level_01",
        "level_02",
    ]
    counts = [list(one["connections"].values()) for one in records]
    assert counts == [[320, 160], [256, 144], [205, 130]]
    assert records[2]["left"] == pytest.approx(335 / 480)
    for record in records:
        assert record["end"]["step"] == 12
        lines = [
            json.loads(line)
            for line in (tmp_path / record["name"] / "metrics.jsonl")
            .read_text()
            .splitlines()
        ]
        assert [line["step"] for line in lines] == [4, 8, 12]
        best = min(lines, key=lambda line: line["val_loss"])
        assert record["early_stop"] == best
        assert not (tmp_path / record["name"] / "checkpoints").exists()
    lines = str(search).splitlines()
    assert max(map(len, lines)) <= 80
    assert "69.79 %" in str(search)
    assert "val_accuracy" in " ".join(lines[0].split())


@support.one_keras("tf_keras")
def test_a_finished_search_trains_nothing(keras, tmp_path):
    model = make_model(keras)
    run(model, tmp_path)
    other = make_model(keras, seed=1)
    before = values_of(other)
    search = run(other, tmp_path)
    support.assert_all_equal(values_of(other), before)

    search.restore(2)

    support.assert_all_equal(values_of(other), values_of(model))
    support.assert_same_masks(tf_rigl.masks(other), search.masks(2))
    assert [one.target for one in masked_weights(other)] == [205, 130]


@support.one_keras("tf_keras")
def test_more_rounds_than_it_has_ended_with(keras, tmp_path):
    arguments = {"criterion": "random", "rewind_step": 4}
    whole = make_model(keras)
    expected = run(whole, tmp_path / "whole", **arguments)
    run(make_model(keras), tmp_path / "less", rounds=1, **arguments)
    other = make_model(keras, seed=1)
    search = run(other, tmp_path / "less", **arguments)
    support.assert_all_equal(values_of(other), values_of(whole))
    for number in range(3):
        support.assert_same_masks(search.masks(number), expected.masks(number))
    assert search.records() == expected.records()


class Killed(Exception):
    pass


@support.keras_in_turn(
    "batch",
    [5, 17, 20, 0, 3, 12, 27],
    is_slow=lambda batch: batch != 20,
)
def test_going_on_where_it_was_stopped(keras, tmp_path, batch):
    """In a new model, with other initial values, that knows only the folder."""
    whole = make_model(keras)
    expected = run(whole, tmp_path / "whole", rewind_step=4)

    class Stop(keras.callbacks.Callback):
        left = batch

        def on_train_batch_begin(self, number, logs=None):
            if not Stop.left:
                raise Killed
            Stop.left -= 1

    model, directory = make_model(keras), tmp_path / "stopped"
    arguments = {"rounds": 2, "rates": {"logits": 0.1}, "rewind_step": 4}
    with pytest.raises(Killed):
        for level in tf_rigl.TicketSearch(model, directory, **arguments):
            level.callbacks.append(Stop())
            train(model, level)

    other = make_model(keras, seed=1)
    search = run(other, directory, rewind_step=4)

    support.assert_all_equal(values_of(other), values_of(whole))
    for number in range(3):
        support.assert_same_masks(search.masks(number), expected.masks(number))
    assert without_loss(search) == without_loss(expected)


def without_loss(search):
    """An epoch that was begun twice averages the loss over its rest."""
    return [
        {
            when: {
                name: value
                for name, value in record[when].items()
                if name.startswith("val_") or name in ("epoch", "step")
            }
            for when in ("early_stop", "end")
        }
        | {name: record[name] for name in ("connections", "steps")}
        for record in search.records()
    ]


@support.keras_in_turn("retrain", ["state", "learning_rate", "fine_tune"])
def test_ways_of_retraining(keras, tmp_path, retrain):
    model = make_model(keras)
    search = tf_rigl.TicketSearch(
        model, tmp_path, rounds=1, rewind_step=4, retrain=retrain
    )
    ends = []
    for level in search:
        if level.number:
            masks = search.masks(1)
            rewind = tf_rigl.Snapshot.load(tmp_path / "rewind.npz")
            source = rewind.weights if retrain == "state" else ends[0]
            for record in masked_weights(model):
                expected = np.where(masks[record.path], source[record.path], 0)
                np.testing.assert_array_equal(record.values(), expected)
            steps = optimizer_state.steps_taken(model.optimizer)
            assert steps == (12 if retrain == "fine_tune" else 4)
            assert level.step == (0 if retrain == "fine_tune" else 4)
            momenta = [np.asarray(one) for one in model.optimizer.momentums]
            assert any(map(np.any, momenta)) == (retrain == "state")
        train(model, level)
        ends.append(tf_rigl.Snapshot.of(model).weights)


@support.one_keras("keras")
def test_new_values_in_each_round(keras, tmp_path):
    model = make_model(keras)
    search = tf_rigl.TicketSearch(
        model, tmp_path, rounds=1, action="reshuffle", keep_sign=True
    )
    start = tf_rigl.Snapshot.of(model).weights
    for level in search:
        if level.number:
            for record in masked_weights(model):
                mask = record.mask.numpy()
                values = record.values().numpy()[mask]
                before = start[record.path][mask]
                assert np.all(np.sign(values) == np.sign(before))
                np.testing.assert_array_equal(
                    np.sort(abs(values)), np.sort(abs(before))
                )
        train(model, level)


@support.one_keras("keras")
def test_controls(keras, tmp_path):
    model = make_model(keras)
    search = run(model, tmp_path)
    masks = search.masks(2)
    start = tf_rigl.Snapshot.load(tmp_path / "start.npz").weights
    drawn = []
    for draw in (0, 1):
        for level in search.control("reinit", 2, draw):
            support.assert_same_masks(tf_rigl.masks(model), masks)
            drawn.append(masked_weights(model)[0].values().numpy())
            train(model, level)
    assert np.any(drawn[0] != drawn[1])
    for level in search.control("random_mask", level=2):
        found = tf_rigl.masks(model)
        for path, mask in masks.items():
            assert np.any(found[path] != mask)
            assert found[path].sum() == mask.sum()
        for record in masked_weights(model):
            np.testing.assert_array_equal(
                record.values(),
                np.where(found[record.path], start[record.path], 0),
            )
        train(model, level)

    assert not list(search.control("reinit", 2, 1))
    names = [record["name"] for record in search.records()][3:]
    assert names == [
        "control_random_mask_02_0",
        "control_reinit_02_0",
        "control_reinit_02_1",
    ]
    assert "level 02, draw 1" in str(search)


@support.one_keras("tf_keras")
def test_loops_of_ones_own(keras, tmp_path):
    model = make_model(keras)
    for level in tf_rigl.TicketSearch(model, tmp_path, rounds=1):
        inputs, labels = support.make_data((20,), 32, classes=10)
        for _ in range(3):
            model.train_on_batch(inputs, labels)
        level.done({"accuracy": 0.5 + level.number})
    search = tf_rigl.TicketSearch(model, tmp_path, rounds=1)
    assert [one["end"] for one in search.records()] == [
        {"accuracy": 0.5},
        {"accuracy": 1.5},
    ]
    assert "1.5" in str(search)


@pytest.mark.slow
@support.one_keras("keras")
def test_two_replicas(keras, tmp_path, two_replicas):
    with two_replicas.scope():
        model = make_model(keras)
        search = run(model, tmp_path, rounds=1)
    assert [one["left"] for one in search.records()][1] < 0.84
    for record in masked_weights(model):
        mask = search.masks(1)[record.path]
        for one in two_replicas.experimental_local_results(
            record.storage.variable
        ):
            assert not np.any(one.numpy()[~mask])


@support.one_keras("keras")
def test_the_step_is_traced_once(keras, tmp_path):
    model, traces = support.make_traced(keras)
    tf_rigl.sparsify(model, 0.0, start="dense")
    model.compile("adam", support.crossentropy(keras))
    counts = []
    for level in tf_rigl.TicketSearch(model, tmp_path, rounds=4):
        train(model, level, epochs=1)
        counts.append(len(traces))
    assert len(counts) == 5
    assert len(set(counts)) == 1


def test_errors(keras, tmp_path):
    model = make_model(keras)
    search = tf_rigl.TicketSearch(model, tmp_path, rounds=2)
    for arguments, message in (
        ({"rounds": 0}, "`rounds` must be at least 1"),
        ({"rate": 1.0}, r"`rate` is the fraction"),
        ({"rates": {"no": 0.1}}, "`rates` must name"),
        ({"scope": "layer"}, "`scope` must be one of"),
        ({"criterion": "snip"}, "has no data.*'snip'"),
        ({"criterion": "entropy"}, "`criterion` must be one of"),
        ({"rewind_step": -1}, "rewind_step=-1"),
        ({"retrain": "all"}, "`retrain` must be one of"),
        ({"action": "zero"}, "`action` must be one of"),
        ({"action": "reinit", "retrain": "state"}, "retrain='weights'"),
        ({"rate": 0.3}, "rate=0.3 instead of 0.2 in"),
        ({"seed": 1}, "seed=1 instead of 0 in"),
    ):
        with pytest.raises(ValueError, match=message):
            tf_rigl.TicketSearch(model, tmp_path, **arguments)
    other = support.make_mlp(keras)
    with pytest.raises(ValueError, match="must have masked weights"):
        tf_rigl.TicketSearch(other, tmp_path)
    tf_rigl.sparsify(other, 0.0, start="dense")
    with pytest.raises(ValueError, match="not compiled with one"):
        tf_rigl.TicketSearch(other, tmp_path)
    other.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"weights=.* instead of "):
        tf_rigl.TicketSearch(other, tmp_path)

    with pytest.raises(ValueError, match="must train the level to its end"):
        for _ in search:
            pass
    assert str(search) == "No level is trained yet."
    for call in (search.masks, search.restore):
        with pytest.raises(ValueError, match=r"Received: level=2"):
            call(2)
    with pytest.raises(ValueError, match="Only a level that was trained"):
        search.restore(0)
    with pytest.raises(ValueError, match="`how` must be one of"):
        next(search.control("dense", 0))
    assert not (tmp_path / "level_02").exists()


@support.one_keras("keras")
def test_a_step_of_rewinding_that_is_not_reached(keras, tmp_path):
    model = make_model(keras)
    search = tf_rigl.TicketSearch(model, tmp_path, rounds=1, rewind_step=50)
    with (
        pytest.warns(UserWarning, match="ended before step 50"),
        pytest.raises(ValueError, match="Level 0 must reach the step"),
    ):
        for level in search:
            train(model, level)
