"""What tables say of results, without measuring anything."""

import dataclasses
import pathlib

import pytest

from tf_rigl.experiments.benchmark import records
from tf_rigl.experiments.benchmark import tables
from tf_rigl.experiments.benchmark.model_paths import ModelPath
from tf_rigl.experiments.benchmark.settings import BenchmarkSettings


def results(**rounds):
    """Results of models with batch 1 and two threads."""
    found = records.Results(
        [ModelPath(name, pathlib.Path(name), "plan") for name in rounds],
        BenchmarkSettings(),
    )
    for name, taken in rounds.items():
        found.openings.append(records.Opening(name, 2, "", 1.0, 100, 0.5))
        found.measurements.append(
            records.Measurement(name, 2, 1, 0.1, taken, taken, 10, 110)
        )
    return found


def test_ratios_are_taken_within_rounds():
    # The machine was busy in the second round and in half of the third.
    made = results(first=(2.0, 20.0, 4.0), second=(1.0, 10.0, 1.0))
    assert made.speedups() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        (0.5, "b is fastest, 2.00 times as fast as a."),
        (0.97, "none is faster than a."),
        (2.0, "none is faster than a."),
    ],
)
def test_verdict(taken, expected):
    (verdict,) = tables.verdicts(results(a=(1.0,), b=(taken,)))
    assert verdict == f"Batch 1, 2 threads: {expected}"


def test_one_model_is_not_compared():
    assert not tables.verdicts(results(a=(1.0,)))


def test_a_busy_machine_is_noticed():
    made = results(a=(1.0, 2.0, 1.0))
    assert not tables.notes(made)
    one = made.measurements[0]
    made.measurements[0] = dataclasses.replace(one, cpu_rounds=(0.5, 0.6, 0.7))
    (note,) = tables.notes(made)
    assert note.startswith("The machine was busy")


def test_failures_with_the_same_reason_are_one():
    made = results()
    for threads in (1, 2):
        made.failures.append(records.Failure("a", threads, None, "broken"))
        for batch in (8, 32):
            made.failures.append(records.Failure("b", threads, batch, "fixed"))
    assert tables.failures(made) == [
        "a cannot be run: broken",
        "b cannot be run with batch 8, 32: fixed",
    ]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.0001234, "0.123"),
        (0.0012345, "1.23"),
        (0.12345, "123.5"),
        (12.345, "12,345.0"),
    ],
)
def test_milliseconds(seconds, expected):
    assert tables.milliseconds(seconds) == expected
