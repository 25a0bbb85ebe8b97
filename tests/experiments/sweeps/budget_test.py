"""Runs of a sweep that may each cost the same FLOPs of training."""

import pytest

from tests.experiments.runs.support import tiny
from tf_rigl.experiments.runs import plan as plans
from tf_rigl.experiments.runs import setup
from tf_rigl.experiments.sweeps import budget
from tf_rigl.experiments.sweeps import costs
from tf_rigl.experiments.sweeps import grid

METHODS = ("dense", "static", "rigl", "rigl_steady", "snfs", "pruning")


def prepared(**settings):
    base = tiny(epochs=100, update_interval=10, **settings)
    points = grid.points(grid.Grid(METHODS, (0.9, 0.98), seeds=2), base)
    return points, setup.prepare_elsewhere(points[0].settings)


def test_every_run_costs_what_is_allowed():
    points, run = prepared()
    found = budget.at_equal_flops(points, run, 0.1)
    assert [point.name for point in found] == [point.name for point in points]

    counted = costs.count(found, run)
    allowed = 0.1 * costs.dense_training_flops(counted.values(), run)
    for point in found:
        flops = counted[point.case].training_flops
        epoch = flops / point.settings.total_epochs
        # Pruning begins at a step, which moves with the length of the run.
        most = 1.5 if point.case[0] == "pruning" else 0.5001
        assert abs(flops - allowed) <= most * epoch
    lengths = {one.case: one.settings.total_epochs for one in found}
    assert lengths["dense", 0.0] == 10
    assert lengths["static", 0.98] > 3 * lengths["rigl_steady", 0.98]
    assert lengths["rigl", 0.98] < lengths["static", 0.98]
    assert lengths["rigl", 0.9] < lengths["rigl", 0.98]


def test_schedules_stretch_with_the_run():
    points, run = prepared(schedule="step", decay_epochs=(50,))
    found = budget.at_equal_flops(points, run, 0.2)
    settings = next(one.settings for one in found if one.case[0] == "static")
    plan = plans.make_plan(settings, run.info)
    assert plan.epochs == settings.total_epochs > 100
    assert plan.decay_steps == (round(plan.total / 2),)


def test_too_little_for_an_epoch():
    points, run = prepared()
    with pytest.raises(
        ValueError,
        match=r"must allow each method an epoch.*training_flops=0.005, which "
        r"is 0.5 epochs of Dense\. Allow 0\.01 or more",
    ):
        budget.at_equal_flops(points, run, 0.005)
