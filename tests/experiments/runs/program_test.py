"""The training programs, in this process."""

import functools
import json
import math
import pathlib
import shutil
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests.experiments.runs.support import QUIET
from tests.experiments.runs.support import Interrupting
from tests.experiments.runs.support import assert_same_checkpoint
from tests.experiments.runs.support import hide_package
from tests.experiments.runs.support import read_results
from tests.experiments.runs.support import run_program
from tests.experiments.runs.support import train_in
from tests.native import cases
from tf_rigl.data import registry
from tf_rigl.data.batching import Batching
from tf_rigl.experiments import keras_modules
from tf_rigl.experiments import model_files
from tf_rigl.experiments.runs import evaluation
from tf_rigl.experiments.runs import networks
from tf_rigl.experiments.runs import run_folder
from tf_rigl.experiments.runs import tasks
from tf_rigl.masking.masked_weight import masked_weights

METHODS = ("small_dense", "grasp_by_weight")
TEXT = {
    "model": "character_lstm",
    "data": "text",
    "width": 0.05,
    "sequence_length": 16,
    "batch_size": 8,
    "epochs": 2,
    "steps_per_epoch": 4,
    "sparsity": 0.5,
    "optimizer": "adam",
    "learning_rate": 0.01,
    "update_interval": 2,
}


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    rng = np.random.default_rng(0)
    for part, length in (("train", 4_000), ("valid", 500), ("test", 500)):
        words = rng.choice(["alpha ", "beta ", "gamma\n"], length)
        (folder / f"{part}.txt").write_text("".join(words))
    return folder


class Finished(NamedTuple):
    folder: pathlib.Path
    flags: tuple[str, ...]
    output: str


@pytest.fixture(scope="module")
def finish(tmp_path_factory):
    @functools.cache
    def finish(keras):
        folder = tmp_path_factory.mktemp(keras)
        flags = (f"--keras={keras}", "--evaluation_steps=0")
        if keras == "keras2":
            flags += (
                "--precision=mixed_bfloat16",
                "--validation_examples=500",
            )
        return Finished(folder, flags, train_in(folder, *flags))

    return finish


@pytest.fixture(
    params=["keras3", pytest.param("keras2", marks=pytest.mark.slow)]
)
def finished(request, finish):
    return finish(request.param)


def evaluated(folder, what):
    settings = run_folder.RunFolder(folder).read_settings()
    splits = tasks.load_splits(settings, Batching(settings.batch_size))
    return evaluation.evaluate(
        keras_modules.load_keras(settings.keras),
        evaluation.load_predict(what),
        splits.evaluation,
        tasks.make_task(settings, splits.info),
    )


def test_says_what_it_did(finished):
    for text in (
        "lenet_300_100 on mnist_small",
        "RigL 90 %  tracing the step…\n",
        "RigL 90 %  epoch 3/3  step 12/12  ",
        "left",
        "loaded back, matches the trained model",
        f"all files in {finished.folder}",
    ):
        assert text in finished.output


def test_leaves_what_it_should(finished):
    folder = finished.folder
    assert len(run_folder.read_lines(folder / "metrics.jsonl")) == 3
    *_, masks = run_folder.read_lines(folder / "masks.jsonl")
    assert masks["epoch"] == 2
    *_, updates = run_folder.read_lines(folder / "updates.jsonl")
    names = ("updates", "moved", "connections")
    for path, numbers in updates["weights"].items():
        assert numbers == {name: masks["weights"][path][name] for name in names}
    assert updates["total"] == {name: masks["total"][name] for name in names}
    assert updates["total"]["moved"] > 0
    events = list((folder / "tensorboard").rglob("events.*"))
    written_by = {path.parent.name for path in events}
    assert written_by >= {"train", "validation", "steps"}

    results = read_results(folder)
    assert results["files"]["matches"]
    assert results["steps"] == 12
    assert results["measures"]["accuracy"] > 0.1
    connections = sum(results["connections"].values())
    model = model_files.load_model(folder / "model.keras")
    masks = tf_rigl.masks(model)
    assert connections == sum(int(mask.sum()) for mask in masks.values())
    size = sum(mask.size for mask in masks.values())
    assert connections == round(0.1 * size)


@pytest.mark.slow
def test_epochs_are_validated_by_examples_held_out(finish):
    finished = finish("keras2")
    settings = run_folder.RunFolder(finished.folder).read_settings()
    splits = tasks.load_splits(settings, Batching(settings.batch_size))
    examples, measures = evaluation.evaluate(
        keras_modules.load_keras(settings.keras),
        evaluation.load_predict(finished.folder),
        splits.validation,
        tasks.make_task(settings, splits.info),
    )
    assert examples == 500
    *_, last = run_folder.read_lines(finished.folder / "metrics.jsonl")
    assert last["val_accuracy"] == pytest.approx(measures["accuracy"])


@pytest.mark.parametrize(
    "what", [".", "model.keras", "saved_model", "model.tflite"]
)
def test_evaluates_alike_in_every_format(finished, what, tmp_path):
    folder = path = finished.folder
    if what == "model.tflite":
        if "--precision=mixed_bfloat16" in finished.flags:
            pytest.skip("half precision is not for LiteRT")
        path = tmp_path
        model = model_files.load_model(folder / "model.keras")
        tf_rigl.export_litert(model, path / what)
    examples, measures = evaluated(folder, path / what)
    assert examples == 2_000
    expected = read_results(folder)["measures"]
    assert measures == pytest.approx(expected, abs=2e-4)


@pytest.mark.slow
def test_text_in_bits_per_character(text, tmp_path):
    output = train_in(tmp_path, f"--data_dir={text}", *QUIET, defaults=TEXT)
    assert "bits per character" in output
    measures = read_results(tmp_path)["measures"]
    bits = measures["cross_entropy"] / math.log(2)
    assert measures["bits_per_character"] == pytest.approx(bits)
    # Fewer than those of characters drawn at random.
    assert bits < math.log2(13)
    # From the checkpoint: no model was written.
    _, found = evaluated(tmp_path, tmp_path)
    assert found == pytest.approx(measures, rel=1e-4)


def test_supermasks_end_with_the_connections_of_more_than_even_odds(tmp_path):
    train_in(
        tmp_path,
        "--method=supermask_rescaled",
        "--kernel_initializer=signed_kaiming",
        "--sparsity=0.5",
        "--momentum=0",
        "--learning_rate=100",
        "--epochs=1",
    )
    model = model_files.load_model(tmp_path / "model.keras")
    weights = [one for one in masked_weights(model) if one.target < one.size]
    assert weights
    for weight in weights:
        logits = weight.state["rescaled_mask_logits"].numpy()
        np.testing.assert_array_equal(weight.mask.numpy(), logits > 0)
    connections = read_results(tmp_path)["connections"]
    assert all(connections[one.path] == one.num_active() for one in weights)


@pytest.mark.parametrize("method", METHODS)
def test_methods(method, tmp_path, monkeypatch):
    """Without TensorBoard, which nobody asks for."""
    hide_package(monkeypatch, "tensorboard")
    arguments = [f"--method={method}", "--epochs=1", "--noexport"]
    output = train_in(tmp_path, *arguments, terminal=True)
    assert "━" in output  # the live bar
    assert not (tmp_path / "tensorboard").exists()
    results = read_results(tmp_path)
    profile = results["profile"]
    sparse = method not in ("dense", "small_dense")
    assert bool(results["connections"]) == sparse
    assert (profile["flops"] < profile["dense_flops"]) == sparse


def test_dense_is_compared_and_reported(finish, tmp_path):
    together = tmp_path / "together"
    output = train_in(together, "--compare_dense", "--report")
    assert "compared" in output
    assert output.count("loaded back, matches the trained model") == 2
    dense, sparse = map(read_results, (together / "dense", together))
    assert dense["label"] == "Dense"
    assert sparse["label"] == "RigL 90 %"
    for record in (dense, sparse):
        page = pathlib.Path(record["folder"], "report.html").read_text("utf-8")
        assert record["label"] in page
        is_sparse = record is sparse
        assert ("Beside the dense run" in page) == is_sparse

    # The other network has no influence, and no evaluation has.
    assert_same_checkpoint(together, finish("keras3").folder)
    # Nothing is left to do.
    before = written(together)
    again = train_in(together, "--compare_dense", "--report")
    assert output.endswith(again)
    assert written(together) == before


@pytest.mark.slow
def test_goes_on_with_what_is_missing_of_a_comparison(tmp_path):
    """A sparse run that was stopped, beside a dense one that had ended."""
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    arguments = ["--compare_dense", *QUIET]
    train_in(whole, *arguments)
    log = Interrupting("RigL 90 %  epoch 2/3", stop)
    with pytest.raises(KeyboardInterrupt):
        run_program(*arguments, f"--output_dir={stopped}", file=log)
    assert (stopped / "dense" / "results.json").exists()
    assert not (stopped / "results.json").exists()
    train_in(stopped, *arguments)
    assert_same_checkpoint(whole, stopped)


def test_tensorboard_that_is_missing(tmp_path, monkeypatch, capsys):
    hide_package(monkeypatch, "tensorboard")
    assert run_program("--tensorboard", f"--output_dir={tmp_path}")[0] == 1
    assert "tf_rigl[tensorboard]" in capsys.readouterr().err


def stop():
    raise KeyboardInterrupt


def written(folder):
    return {
        path: path.stat().st_mtime_ns for path in folder.rglob("step-*.npz")
    }


def test_a_model_that_is_served_differently_is_a_failure(finished, tmp_path):
    shutil.copytree(finished.folder, tmp_path, dirs_exist_ok=True)
    record = read_results(tmp_path)
    record["files"].update(matches=False, largest_difference=0.5)
    (tmp_path / "results.json").write_text(json.dumps(record), "utf-8")
    code, output = run_program(*finished.flags, f"--output_dir={tmp_path}")
    assert code == 1
    assert "DIFFERS FROM the trained model" in output


def test_dry_run_writes_nothing(tmp_path):
    output = train_in(tmp_path / "run", "--dry_run", "--compare_dense")
    assert "Dense" in output
    assert "RigL 90 %" in output
    assert "3 epochs of 4 steps, 12 in all" in output
    assert "10,000 examples for training" in output
    assert "FLOPs" in output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data=text"], "`data` must be images"),
        (["--batch_size=20000"], "`batch_size` must not exceed"),
        (["--data=cifar10", "--data_dir=/nowhere"], "cifar10"),
        (["--dense_layers=fc9"], "`dense_layers` must name layers"),
        (["--schedule=step"], "needs `decay_epochs`"),
        (["--devices=2"], "`devices` is the number of replicas"),
        (["--method=dense", "--compare_dense"], "needs another method"),
        pytest.param(
            ["--method=snfs", "--storage=compressed"],
            "SNFS with these options needs",
            marks=cases.needs_library,
        ),
    ],
)
def test_errors_come_before_any_work(arguments, message, tmp_path, capsys):
    folder = tmp_path / "run"
    code, _ = run_program(*arguments, f"--output_dir={folder}")
    assert code == 1
    error = capsys.readouterr().err
    assert error.startswith("Error: ")
    assert message in error
    assert not (folder / "configuration.json").exists()


def test_label_smoothing_gives_the_same_measures(keras):
    splits = registry.splits("mnist_small", Batching(100))
    settings_task = tasks.Task(tasks.IMAGES, 10, (28, 28, 1))
    smooth = settings_task._replace(label_smoothing=0.1)
    model = networks.registry.builder("lenet_300_100")(keras, width=0.1)
    scores = []
    for task in (settings_task, smooth):
        model.compile(
            "sgd",
            loss=tasks.make_loss(keras, task),
            metrics=tasks.make_metrics(keras, task),
        )
        batches = tasks.encode(splits.evaluation, task)
        scores.append(model.evaluate(batches, verbose=0, return_dict=True))
    assert tasks.measures(settings_task, scores[0]) == pytest.approx(
        tasks.measures(smooth, scores[1]), rel=1e-5
    )

    logits = model.predict(splits.evaluation, verbose=0)
    labels = np.concatenate([y.numpy() for _, y in splits.evaluation])
    log_p = tf.nn.log_softmax(logits).numpy()
    targets = 0.9 * np.eye(10)[labels] + 0.01
    expected = -(targets * log_p).sum(axis=1).mean()
    assert scores[1]["loss"] == pytest.approx(expected, rel=1e-5)
