"""Records repeat their runs, anywhere."""

import json
import shlex

import pytest

from tests.experiments.runs.support import parse
from tests.experiments.runs.support import tiny
from tests.experiments.sweeps.support import make_records
from tf_rigl.experiments.runs import flags as run_flags
from tf_rigl.experiments.runs.settings import RunOptions
from tf_rigl.experiments.runs.settings import RunSettings
from tf_rigl.experiments.sweeps import records
from tf_rigl.experiments.sweeps.grid import Grid
from tf_rigl.experiments.sweeps.grid import Point

CHANGED = tiny(
    dense_layers=("fc1", "logits"),
    schedule="step",
    decay_epochs=(0.5, 2.0),
    learning_rate=1e-5,
    seed=3,
)


@pytest.mark.parametrize("settings", [RunSettings(), CHANGED])
def test_arguments_give_the_settings_again(settings):
    options = RunOptions(export=False, checkpoint_every=7)
    arguments = run_flags.to_arguments(settings, options)
    values = parse(*arguments, defaults={})
    assert run_flags.settings(values) == settings
    assert run_flags.options(values) == options


def test_commands_leave_the_machine_out():
    here = tiny(data_dir="/somewhere/else", download=True, seed=2)
    command = records.run_command(Point("rigl_0.9_s2", here))
    python, m, module, *arguments = shlex.split(command)
    assert (python, m, module) == ("python", "-m", "tf_rigl.experiments.runs")
    values = parse(*arguments, defaults={})
    assert run_flags.settings(values) == tiny(seed=2)
    grid = Grid(("dense", "rigl"), (0.9,), seeds=2)
    assert "somewhere" not in records.sweep_command(grid, here)


def test_records_are_lines():
    (record,) = make_records({"rigl": [0.8]})
    assert json.loads(json.dumps(record)) == record
    assert "data_dir" not in record["settings"]
    assert record["settings"]["sparsity"] == 0.9
