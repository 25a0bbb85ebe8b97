"""Sweeps from Python, over a user's own model and data."""

import dataclasses
import json
import random

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tests.experiments.runs.support import assert_same_checkpoint
from tests.experiments.sweeps import own
from tf_rigl.experiments.runs import run_folder
from tf_rigl.experiments.sweeps import own_runs


def run_sweep(keras, folder, build=None, data=None, **changes):
    return tf_rigl.sweep(
        build or own.builder(keras),
        data or own.arrays(),
        **{**own.TINY, **changes},
        folder=folder,
    )


@support.one_keras("keras")
def test_table_files_and_more_runs(keras, tmp_path):
    built = []

    def build():
        built.append(own.build(keras))
        return built[-1]

    slower = tf_rigl.RigL(update_interval=2, drop_fraction=0.1)
    methods = ["dense", slower]
    result = run_sweep(keras, tmp_path, build, methods=methods)
    dense, row = result.rows
    assert (dense.method, dense.sparsity, dense.runs) == ("dense", None, 1)
    assert dense.inference_flops == dense.training_flops == 1.0
    assert row.label == "RigL(update_interval=2, drop_fraction=0.1)"
    # Half of 20 x 32 + 32 x 3 weights, and the biases.
    assert row.nonzeros == 368 + 32 + 3
    assert row.inference_flops == 0.5
    assert row.measure == "accuracy"
    assert row.lowest == row.mean == row.highest
    assert row.deviation is None

    lines = str(result).splitlines()
    assert lines[0] == "mine"
    assert max(map(len, lines)) <= 80
    # The label is folded between words and after "_".
    label = "".join(line.split("  ")[0] for line in lines).replace(" ", "")
    assert "RigL(update_interval=2,drop_fraction=0.1)50%" in label
    assert result.as_dicts()[0] == dataclasses.asdict(dense)
    text = (tmp_path / "table.md").read_text("utf-8")
    assert "tf_rigl.sweep(build, data, ['dense', RigL(update_" in text
    assert (tmp_path / "against_flops.png").exists()
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "RigL(update_interval=2, drop_fraction=0.1)" in page
    assert "2 of 2 runs have finished" in page
    assert str(tmp_path) not in page
    stored = (tmp_path / "results.jsonl").read_text("utf-8").splitlines()
    assert list(map(json.loads, stored)) == result.runs
    assert result.runs[0]["name"] == "dense_s0"

    # What is there is not trained again; what is missing is.
    before = len(built)
    again = run_sweep(keras, tmp_path, build, methods=methods)
    assert again.rows == result.rows
    assert len(built) == before + 1  # to compare it with the sweep's
    more = run_sweep(keras, tmp_path, build, methods=["dense"], seeds=[0, 1])
    assert len(built) == before + 4
    assert more.runs[0] == result.runs[0]
    assert more.rows[0].runs == 2
    by_loss = run_sweep(
        keras, tmp_path, build, methods=["dense"], measure="loss"
    )
    assert by_loss.rows[0].mean == result.runs[0]["measures"]["loss"]


@support.keras_in_turn(
    "method", ["rigl", "pruning"], is_slow=lambda method: method == "pruning"
)
def test_goes_on_after_an_interruption(keras, method, tmp_path, monkeypatch):
    """Numbers are those of a sweep without one, and of any repetition."""
    changes = {"methods": [method]}
    whole = run_sweep(keras, tmp_path / "whole", **changes)
    count = own_runs._Steps.on_train_batch_end

    def interrupt(self, batch, logs=None):
        count(self, batch, logs)
        if self._steps == 6:
            raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(own_runs._Steps, "on_train_batch_end", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_sweep(keras, tmp_path / "parts", **changes)
    folder = tmp_path / "parts" / "runs" / f"{method}_0.5_s0"
    assert tf_rigl.Checkpoints(folder / "checkpoints").step == 4

    parts = run_sweep(keras, tmp_path / "parts", **changes)
    assert parts.runs[0]["measures"] == whole.runs[0]["measures"]
    assert_same_checkpoint(
        folder, tmp_path / "whole" / "runs" / f"{method}_0.5_s0"
    )
    epochs = run_folder.read_lines(folder / "metrics.jsonl")
    assert [one["epoch"] for one in epochs] == [0, 1, 2]
    # Layers without names have the same ones throughout.
    masks = run_folder.read_lines(folder / "masks.jsonl")
    assert {tuple(sorted(line["weights"])) for line in masks} == {
        ("dense/kernel", "dense_1/kernel")
    }


@pytest.mark.slow
@pytest.mark.parametrize("flavor", support.FLAVORS)
def test_goes_on_after_a_kill(flavor, tmp_path):
    program = (
        "import sys; from tests.experiments.sweeps import own; "
        "own.sweep_in_child(*sys.argv[1:])"
    )
    killed = support.start_python("-c", program, flavor, tmp_path / "parts", 6)
    assert killed.returncode == -9, killed.stderr
    for folder in ("parts", "whole"):
        support.run_python("-c", program, flavor, tmp_path / folder, 0)
    parts, whole = (
        json.loads((tmp_path / folder / "results.jsonl").read_text("utf-8"))
        for folder in ("parts", "whole")
    )
    assert parts["measures"] == whole["measures"]
    assert_same_checkpoint(
        *(tmp_path / one / "runs/rigl_0.5_s0" for one in ("parts", "whole"))
    )


@support.one_keras("tf_keras")
@pytest.mark.slow
def test_data_sets_and_global_state(keras, tmp_path):
    """A function makes data sets; random generators are as they were."""

    def data():
        train, validation = map(
            tf.data.Dataset.from_tensor_slices, own.arrays()
        )
        return train.shuffle(64).batch(16), validation.batch(16)

    random.seed(7)
    np.random.seed(7)
    expected = random.random(), np.random.rand()
    random.seed(7)
    np.random.seed(7)
    # Only Keras 2 has the switch.
    switch = getattr(keras.backend, "experimental", None)
    if switch is not None:
        switch.disable_tf_random_generator()
    first, second = (
        run_sweep(
            keras,
            tmp_path / name,
            data=data,
            methods=["grasp"],
            save_models=True,
        )
        for name in ("first", "second")
    )
    assert (random.random(), np.random.rand()) == expected
    assert switch is None or not switch.is_tf_random_generator_enabled()

    assert first.runs[0]["measures"] == second.runs[0]["measures"]
    saved = keras.models.load_model(
        tmp_path / "first/runs/grasp_0.5_s0/model.keras"
    )
    assert sum(support.counts(saved).values()) == 368


def uncompiled(keras):
    return lambda: keras.Sequential([keras.Input((20,)), keras.layers.Dense(3)])


def kept(keras):
    model = own.build(keras)
    return lambda: model


def sparse(keras):
    return lambda: tf_rigl.sparsify(own.build(keras), 0.5)


@pytest.mark.parametrize(
    ("make_build", "changes", "message"),
    [
        (
            uncompiled,
            {},
            "must return a compiled model. Received: .*uncompiled",
        ),
        (kept, {}, "must return a new model each time"),
        (sparse, {}, "must return a dense model"),
        (lambda keras: lambda: None, {}, "returned NoneType"),
        (
            own.builder,
            {"methods": ["rigl", "magic"]},
            "or an algorithm object.*Change 'magic'",
        ),
        (own.builder, {"methods": []}, "`methods` must name at least one"),
        (own.builder, {"sparsities": [1.0]}, r"in \[0, 1\).*Change 1.0"),
        (own.builder, {"seeds": [0, 0]}, "`seeds` must differ"),
        (own.builder, {"seeds": [0.5]}, "an integer in"),
        (own.builder, {"epochs": 0}, "`epochs` must be at least 1"),
        (own.builder, {"drop_fraction": 2.0}, "`drop_fraction`"),
        (own.builder, {"batch_size": 100}, "`batch_size` must not exceed"),
        (
            own.builder,
            {"sparsify_arguments": {"seed": 1}},
            "arguments of `tf_rigl.sparsify`.*Received: seed",
        ),
        (
            lambda keras: lambda: own.build(keras),
            {"methods": ["small_dense"]},
            "takes the argument `width`",
        ),
    ],
)
@support.one_keras("keras")
def test_errors_come_before_any_run(
    keras, make_build, changes, message, tmp_path
):
    with pytest.raises(ValueError, match=message):
        run_sweep(keras, tmp_path / "sweep", make_build(keras), **changes)
    assert not list(tmp_path.rglob("runs"))


@pytest.mark.parametrize(
    "changes", [{"methods": "rigl"}, {"build": 3}, {"data": [1, 2, 3]}]
)
@support.one_keras("tf_keras")
def test_errors_of_type(keras, changes, tmp_path):
    with pytest.raises(TypeError, match="must be"):
        run_sweep(keras, tmp_path, **changes)


@support.one_keras("keras")
def test_sweeps_are_not_mixed(keras, tmp_path):
    arguments = {"methods": ["dense"], "epochs": 1}
    result = run_sweep(keras, tmp_path, **arguments)
    (inputs, labels), validation = own.arrays()
    other_data = (1 - inputs, labels), validation
    for changes, message in (
        ({"epochs": 2}, r"Received: epochs=2 \(it has 1\) for folder="),
        ({"batch_size": 8}, r"steps_per_epoch='8' .*batch_size=8 \(it has 16"),
        (
            {"build": own.builder(keras, rate=0.2)},
            r"Received: optimizer.learning_rate=0.2 \(it has 0.1\)",
        ),
        ({"build": own.builder(keras, width=2)}, "Received: model='4 weights"),
        ({"data": other_data}, "Received: training data='float32.64, 20"),
    ):
        with pytest.raises(ValueError, match=message):
            run_sweep(keras, tmp_path, **{**arguments, **changes})
    assert run_sweep(keras, tmp_path, **arguments).rows == result.rows

    with pytest.raises(ValueError, match="measure='auc'"):
        run_sweep(keras, tmp_path, **arguments, measure="auc")
    with (
        run_folder.locked(tmp_path, "folder", "sweep"),
        pytest.raises(ValueError, match="`folder` must not be in use"),
    ):
        run_sweep(keras, tmp_path, **arguments)

    (tmp_path / "sweep.json").unlink()
    (tmp_path / "runs/dense_s0/configuration.json").touch()
    with pytest.raises(ValueError, match="a sweep of `tf-rigl sweep`"):
        run_sweep(keras, tmp_path, **arguments)


@pytest.mark.parametrize(
    ("epochs", "expected"), [(1, 1), (40, 6)], ids=["short", "longer"]
)
def test_short_trainings_have_updates_too(
    epochs, expected, tmp_path, monkeypatch
):
    """With every 100 steps, RigL would be trained as `Static`."""
    seen = []

    def make_training(*arguments):
        seen.append(arguments[3])
        raise InterruptedError

    keras = support.fresh_keras("keras")
    monkeypatch.setattr(own_runs, "Training", make_training)
    with pytest.raises(InterruptedError):
        run_sweep(keras, tmp_path, update_interval=None, epochs=epochs)
    assert seen == [expected]
