import pytest

from tests.experiments.runs.support import tiny
from tf_rigl.data.datasets import DataInfo
from tf_rigl.experiments.runs.plan import Stretch
from tf_rigl.experiments.runs.plan import check_resumable
from tf_rigl.experiments.runs.plan import make_plan
from tf_rigl.experiments.runs.plan import remaining

INFO = DataInfo(100, 10, 10, (28, 28, 1))


def test_multiplier_stretches_epochs_and_decay():
    settings = tiny(
        steps_per_epoch=0,
        batch_size=10,
        epochs=4,
        multiplier=5.0,
        schedule="step",
        decay_epochs=(1.0, 2.0),
        warmup_epochs=0.5,
    )
    plan = make_plan(settings, INFO)
    assert (plan.per_epoch, plan.epochs, plan.total) == (10, 20, 200)
    assert plan.decay_steps == (50, 100)
    assert plan.warmup_steps == 5
    assert plan.stop_step == 150


def test_fractions_become_steps():
    settings = tiny(start_fraction=0.25, stop_fraction=0.5)
    plan = make_plan(settings, INFO)
    assert (plan.start_step, plan.stop_step, plan.total) == (3, 6, 12)
    assert make_plan(tiny(), INFO).start_step == 0


@pytest.mark.parametrize(
    ("done", "expected"),
    [
        (0, [Stretch(0, 3, 0, 4)]),
        (4, [Stretch(1, 3, 4, 4)]),
        (5, [Stretch(1, 2, 5, 3), Stretch(2, 3, 8, 4)]),
        (11, [Stretch(2, 3, 11, 1)]),
        (12, []),
    ],
)
def test_what_is_left_ends_where_it_would_have(done, expected):
    plan = make_plan(tiny(), INFO)
    assert remaining(plan, done) == expected


def test_executions_fit_epochs():
    with pytest.raises(ValueError, match="steps_per_execution=3 for 4 steps"):
        make_plan(tiny(steps_per_execution=3), INFO)
    with pytest.raises(ValueError, match="steps_per_execution=2 for 3 steps"):
        check_resumable(make_plan(tiny(), INFO), 5, 2)


def test_batches_fit_the_data():
    with pytest.raises(ValueError, match="`batch_size` must not exceed"):
        make_plan(tiny(batch_size=101), INFO)
