"""Metrics by steps: the lines of a run, also of one that was stopped."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.experiments.runs.support import QUIET
from tests.experiments.runs.support import Interrupting
from tests.experiments.runs.support import train_in
from tf_rigl.experiments.runs.run_folder import read_lines

FLAGS = ("--metrics_every=3", "--checkpoint_every=2", *QUIET)


class Stopped(Exception):
    """Ends a run from outside."""


def stop():
    raise Stopped


def steps_of(folder):
    return read_lines(folder / "steps.jsonl", ("step", "steps", "seconds"))


def mean(lines, name):
    steps = [line["steps"] for line in lines]
    return np.average([line[name] for line in lines], weights=steps)


@pytest.fixture(
    scope="module",
    params=["keras3", pytest.param("keras2", marks=pytest.mark.slow)],
)
def whole(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    keras = f"--keras={request.param}"
    train_in(folder, keras, "--metrics_every=3", "--noexport")
    return keras, folder


def test_lines_cover_all_steps(whole):
    _, folder = whole
    lines = steps_of(folder)
    assert [line["step"] for line in lines] == [3, 6, 9, 12]
    assert [line["epoch"] for line in lines] == [0, 1, 2, 2]
    assert [line["steps"] for line in lines] == [3, 3, 3, 3]
    # Keras gives means since the start of an epoch.
    epochs = read_lines(folder / "metrics.jsonl")
    for name in ("loss", "accuracy"):
        assert mean(lines, name) == pytest.approx(mean(epochs, name), rel=1e-4)


def test_lines_tell_of_masks_and_learning_rate(whole):
    _, folder = whole
    lines = steps_of(folder)
    # Masks change every second step until step 9.
    newest = read_lines(folder / "masks.jsonl")[-1]["total"]
    updates = [line["mask_updates"] for line in lines]
    assert 0 < updates[0] < updates[1] < updates[2]
    assert updates[2] == updates[3] == newest["updates"]
    assert lines[0]["mask_churn"] > 0
    assert lines[-1]["mask_churn"] == 0
    rates = [line["learning_rate"] for line in lines]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > rates[-1]


def test_tensorboard_has_the_same_numbers(whole):
    from tensorboard.backend.event_processing import event_accumulator

    _, folder = whole
    found = event_accumulator.EventAccumulator(
        str(folder / "tensorboard" / "steps"), {"tensors": 0}
    ).Reload()
    for name in ("loss", "learning_rate", "mask_churn"):
        events = found.Tensors(f"step_{name}")
        assert [event.step for event in events] == [3, 6, 9, 12]
        values = [tf.make_ndarray(event.tensor_proto) for event in events]
        assert values == pytest.approx([one[name] for one in steps_of(folder)])


def test_a_run_that_goes_on_repeats_no_step(whole, tmp_path):
    keras, uninterrupted = whole
    with pytest.raises(Stopped):
        train_in(tmp_path, keras, *FLAGS, file=Interrupting("epoch 2/3", stop))
    assert [line["step"] for line in steps_of(tmp_path)] == [3, 6]
    with (tmp_path / "steps.jsonl").open("a") as file:
        file.write('{"step": 9, "epoch": 2, "steps": 3, "seconds": 1}\n')
        file.write('{"step": 12, "ep')  # cut off
    train_in(tmp_path, keras, *FLAGS)

    lines = steps_of(tmp_path)
    assert [line["step"] for line in lines] == [3, 6, 9, 12]
    expected = steps_of(uninterrupted)
    # Step 6 has the newest checkpoint, in the middle of an epoch.
    for found, other in zip(lines[2:], expected[2:], strict=True):
        assert found["loss"] == pytest.approx(other["loss"], rel=1e-4)
        for name in ("steps", "epoch", "mask_updates", "mask_churn"):
            assert found[name] == other[name]


def test_a_dense_run_has_no_masks_and_several_steps_at_once(tmp_path):
    train_in(
        tmp_path,
        "--method=dense",
        "--steps_per_execution=2",
        "--metrics_every=3",
        *QUIET,
    )
    lines = steps_of(tmp_path)
    # The first ends of an execution at or after 3, 6, 9 and 12.
    assert [line["step"] for line in lines] == [4, 6, 10, 12]
    assert "mask_churn" not in json.dumps(lines)
