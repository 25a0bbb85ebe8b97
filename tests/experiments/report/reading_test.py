import json

import keras
import numpy as np
import pytest

import tf_rigl
from tests.experiments.runs.support import tiny
from tf_rigl.experiments.report import reading
from tf_rigl.experiments.runs import setup
from tf_rigl.experiments.runs.run_folder import RunFolder

LINE = {"epoch": 0, "steps": 4, "seconds": 1.5, "loss": 2.0}


@pytest.fixture
def begun(tmp_path):
    with_settings(tmp_path, tiny())
    return tmp_path


def with_settings(path, settings):
    folder = RunFolder(path)
    with folder.open(settings):
        folder.keep_settings(settings)


def test_a_run_that_has_just_begun(begun):
    record = reading.read_run(begun)
    assert record.settings == tiny()
    assert record.results is None
    assert not record.epochs
    assert not record.weights
    assert reading.plan_of(record) is None


def test_a_line_that_is_half_written_is_left_out(begun):
    line = json.dumps(LINE)
    (begun / "metrics.jsonl").write_text(f"{line}\n{line[:20]}")
    assert reading.read_run(begun).epochs == [LINE]


@pytest.mark.parametrize(
    "changes",
    [
        {"schedule": "step", "decay_epochs": (1, 2), "multiplier": 2.0},
        {"warmup_epochs": 1.0, "stop_fraction": 0.5},
        {"steps_per_epoch": 0},
    ],
    ids=str,
)
def test_the_plan_is_that_of_the_run(tmp_path, changes):
    settings = tiny(**changes)
    plan = setup.prepare(settings).plan
    with_settings(tmp_path, settings)
    line = {**LINE, "steps": plan.per_epoch}
    # The second epoch was begun by a process that was killed.
    rest = {**LINE, "epoch": 1, "steps": 1}
    (tmp_path / "metrics.jsonl").write_text(
        f"{json.dumps(line)}\n{json.dumps(rest)}\n"
    )
    found = reading.plan_of(reading.read_run(tmp_path))
    # How long a pass over the data is can't be told, and is not needed.
    assert found._replace(per_pass=0) == plan._replace(per_pass=0)


def test_scales_of_the_channels_that_are_left(begun):
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(6),
            layers.BatchNormalization(name="norm"),
            layers.Dense(2),
        ]
    )
    scales = np.array([0.5, -0.1, 2.0, 0.2, -1.0, 0.3], np.float32)
    model.get_layer("norm").gamma.assign(scales)
    tf_rigl.sparsify(model, 0.5, weights="scales", start="magnitude")
    model.save(begun / "model.keras")
    state = reading.read_model_state(reading.read_run(begun))
    (mask,) = state.masks
    assert mask.path == "norm/gamma"
    np.testing.assert_array_equal(mask.scales, np.abs(scales[[0, 2, 4]]))


def test_what_is_no_run(tmp_path):
    with pytest.raises(ValueError, match=r"which has no configuration\.json"):
        reading.read_run(tmp_path)
    with pytest.raises(ValueError, match="nowhere', which is no folder"):
        reading.read_run(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("configuration.json", "{", "can't be read"),
        ("configuration.json", "[]", "no JSON object"),
        ("configuration.json", '{"color": 1}', "Received: color"),
        ("configuration.json", '{"epochs": "x"}', "can't be read"),
        ("metrics.jsonl", "epoch 1\n", "can't be read"),
        ("metrics.jsonl", '{"epoch": 0}\n', "without steps, seconds"),
        ("masks.jsonl", '{"epoch": 0, "total": {}}\n', "without weights"),
        ("masks.jsonl", "7\n", "no JSON object: 7"),
        ("results.json", '{"runs": []}', "without measures"),
    ],
)
def test_damaged_files_are_named(begun, name, content, reason):
    (begun / name).write_text(content)
    with pytest.raises(ValueError, match="as the training programs write") as e:
        reading.read_run(begun)
    assert repr(str(begun / name)) in str(e.value)
    assert reason in str(e.value)
