"""Records repeat their runs, anywhere; means and spreads, by hand."""

import json
import shlex

import pytest

from tests.experiments.runs import support
from tests.experiments.sweeps.support import make_records
from tf_rigl.experiments.runs import flags as run_flags
from tf_rigl.experiments.runs.settings import RunOptions
from tf_rigl.experiments.runs.settings import RunSettings
from tf_rigl.experiments.sweeps import records
from tf_rigl.experiments.sweeps.grid import Grid
from tf_rigl.experiments.sweeps.grid import Point

CHANGED = support.tiny(
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
    values = support.parse(*arguments, defaults={})
    assert run_flags.settings(values) == settings
    assert run_flags.options(values) == options


def test_commands_leave_the_machine_out():
    here = support.tiny(data_dir="/somewhere/else", download=True, seed=2)
    command = records.run_command(Point("rigl_0.9_s2", here))
    python, m, module, *arguments = shlex.split(command)
    assert (python, m, module) == ("python", "-m", "tf_rigl.experiments.runs")
    values = support.parse(*arguments, defaults={})
    assert run_flags.settings(values) == support.tiny(seed=2)
    grid = Grid(("dense", "rigl"), (0.9,), seeds=2)
    assert "somewhere" not in records.sweep_command(grid, here)


def test_records_are_lines():
    (record,) = make_records({"rigl": [0.8]})
    assert json.loads(json.dumps(record)) == record
    assert "data_dir" not in record["settings"]
    assert record["settings"]["sparsity"] == 0.9


def test_spread():
    # Squared distances from 3: 4 + 1 + 1 + 4 = 10, by 4 - 1.
    found = records.spread([1.0, 2.0, 4.0, 5.0])
    assert found.runs == 4
    assert found.mean == 3.0
    assert found.deviation == pytest.approx((10 / 3) ** 0.5)
    assert (found.lowest, found.highest) == (1.0, 5.0)
    assert records.spread([2.0]).deviation is None


def test_rows():
    made = make_records(
        {"rigl": [0.8, 0.9], "dense": [0.95, 0.97], "set": [0.9, 0.9]}
    )
    dense, best, other = records.summarize(made).rows
    assert (dense.method, dense.sparsity, dense.label) == (
        "dense",
        None,
        "Dense",
    )
    assert (dense.inference, dense.training) == (1.0, 1.0)

    assert (best.method, best.sparsity) == ("set", 0.9)
    assert best.headline.deviation == 0.0
    assert other.label == "RigL 90 %"
    assert other.headline.mean == pytest.approx(0.85)
    assert other.headline.deviation == pytest.approx(0.005**0.5)
    assert other.inference == pytest.approx(0.1)
    assert other.training == pytest.approx(0.11)
    assert (other.nonzeros, other.packed_bytes) == (40, 210)


def test_fewer_bits_are_better():
    made = make_records({"rigl": [2.0], "set": [1.5]}, "bits_per_character")
    assert [row.method for row in records.summarize(made).rows] == [
        "set",
        "rigl",
    ]


def test_a_larger_area_under_the_curve_is_better():
    summary = records.summarize(
        make_records({"rigl": [0.7], "set": [0.6]}, "val_auc")
    )
    assert [row.method for row in summary.rows] == ["rigl", "set"]
    assert summary.higher_is_better


def test_shares_are_those_of_the_dense_network():
    # Not of the small one, which is 10 % of it and dense itself.
    alone = records.summarize(make_records({"small_dense": [0.9]}))
    assert alone.rows[0].inference is None
    both = records.summarize(
        make_records({"small_dense": [0.9], "static": [0.8]})
    )
    assert both.rows[0].method == "small_dense"
    assert both.rows[0].inference == pytest.approx(0.1)
