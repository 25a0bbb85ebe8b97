"""Arguments that methods refuse, and what they say."""

import dataclasses

import pytest

from tests.methods import table
from tf_rigl import algorithms
from tf_rigl.algorithms import MaskSchedule
from tf_rigl.algorithms import registry

METHODS = [getattr(algorithms, name) for name in registry.class_names()]
# Those whose `stop_step` is left to `fit`; OneShot's is called `step`.
SCHEDULED = [
    method
    for method in METHODS
    if isinstance(schedule := method().mask_schedule, MaskSchedule)
    and (schedule.stop_step, schedule.argument) == (None, "stop_step")
]


def refused():
    for row in registry.ROWS:
        oracle = table.oracle_module(row.module)
        for arguments, message in getattr(oracle, "REFUSED", ()):
            yield row.class_name, arguments, message


@pytest.mark.parametrize(("method", "arguments", "message"), refused())
def test_refused(method, arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        getattr(algorithms, method)(**arguments)


@pytest.mark.parametrize("method", SCHEDULED)
def test_unknown_length_of_the_run(method):
    with pytest.raises(ValueError, match=rf"Pass {method.__name__}\(stop_step"):
        method().resolve(None)


@pytest.mark.parametrize("method", SCHEDULED)
def test_stop_is_three_quarters_of_the_run(method):
    resolved = method(update_interval=3).resolve(1000)
    assert resolved == method(stop_step=750, update_interval=3)


@pytest.mark.parametrize(
    "algorithm",
    [
        *(method() for method in METHODS),
        *(row.algorithm for row in table.collect("ROWS").values()),
    ],
)
def test_plain_values(algorithm):
    """Hashable, immutable, made again from their configuration."""
    again = type(algorithm)(**algorithm.get_config())
    assert again == algorithm
    assert hash(again) == hash(algorithm)
    fields = dataclasses.fields(algorithm)
    assert set(algorithm.get_config()) == {field.name for field in fields}
    with pytest.raises(dataclasses.FrozenInstanceError):
        algorithm.name = "other"


def test_static_training_never_updates():
    static = algorithms.Static()
    assert static.schedule is None
    assert not static.requirements.skips_step
    assert static.resolve(None) == static.resolve(1000) == static


def test_a_schedule_needs_a_stop():
    with pytest.raises(ValueError, match=r"`stop_step` is .*=None\. Pass"):
        _ = algorithms.RigL().schedule


@pytest.mark.parametrize(
    ("batch_size", "interval"),
    [(4096, 100), (1024, 400), (128, 3200), (8192, 50), (10**9, 1)],
)
def test_interval_scales_with_the_batch(batch_size, interval):
    algorithm = algorithms.RigL(1000, batch_size=batch_size)
    assert algorithm.schedule.interval == interval


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [(0, 10, [0, 5, 10]), (1, 10, [5, 10]), (5, 12, [5, 10]), (6, 8, [])],
)
def test_jaxpruner_updates_on_multiples(start, stop, expected):
    """t % ΔT == 0 and start <= t <= stop."""
    schedule = algorithms.RigL(
        stop, 5, start_step=start, preset="jaxpruner"
    ).schedule
    assert [t for t in range(30) if schedule.is_update(t)] == expected


def test_pruned_fraction():
    """Ten of 100 steps, the middle, and a cube by integration."""
    one_shot = algorithms.OneShot(9)
    assert one_shot.pruned_fraction(100) == 0.9
    pruning = algorithms.GradualPruning(100_000, 1)
    # The mean of 1 - (1 - x)^3 over [0, 1].
    assert pruning.pruned_fraction(100_000) == pytest.approx(0.75, abs=1e-4)
    assert pruning.pruned_fraction(200_000) == pytest.approx(0.875, abs=1e-4)
    ac_dc = algorithms.ACDC(40, 10, 0)
    # Compressed in [1, 11), [21, 31) and from 41 on.
    assert ac_dc.pruned_fraction(100) == (10 + 10 + 59) / 100


@pytest.mark.parametrize(
    ("steps", "stop"), [(1, 0), (2, 1), (4, 3), (7, 5), (100, 75)]
)
def test_the_last_update_is_a_step_of_the_training(steps, stop):
    """Three quarters of it; in the shortest training, too, pruning ends."""
    assert algorithms.OneShot().resolve(steps).step == stop
    pruning = algorithms.GradualPruning(update_interval=1).resolve(steps)
    updates = [t for t in range(steps) if pruning.schedule.is_update(t)]
    assert updates[-1] == stop
    assert pruning.connections(10, 2)[-1] == 2


def test_one_shot_needs_a_step():
    with pytest.raises(ValueError, match=r"`step` is needed.*step=None"):
        algorithms.OneShot().resolve(None)
    assert algorithms.OneShot(9).resolve(100).step == 9


@pytest.mark.parametrize(
    ("algorithm", "phases"),
    [
        (algorithms.ACDC(), range(10, 76, 5)),
        (algorithms.ACDC(update_interval=10), range(20, 76, 10)),
        (algorithms.ACDC(start_step=0), range(0, 76, 5)),
        # Too short for a warm-up of two phases.
        (algorithms.ACDC(12, 10), [12]),
        (algorithms.ACDC(3), [2, 3]),
    ],
)
def test_ac_dc_warms_up_densely(algorithm, phases):
    """The default is the paper's 100 epochs: 10, then every 5."""
    schedule = algorithm.resolve(100).schedule
    assert [t for t in range(100) if schedule.is_update(t)] == list(phases)


def test_polynomial_has_the_published_values():
    """Cubic from 0.2 to 0.8: 0.725 halfway; from 0 to 0.5: 0.4375."""
    late = algorithms.GradualPruning(110, 5, 100, initial_sparsity=0.2)
    assert late.connections(1000, 200).tolist() == [800, 275, 200]
    early = algorithms.GradualPruning(20, 10)
    assert early.connections(10_000, 5_000).tolist() == [10_000, 5_625, 5_000]
    linear = algorithms.GradualPruning(5, 2, 1, 0.1, power=1)
    assert linear.connections(100, 50).tolist() == [90, 70, 50]
