import pytest

from benchmarks import step_overhead


def test_counts_steps_as_they_occur():
    combined = step_overhead.combine(update=11.0, plain=1.0)
    assert combined["step"] == pytest.approx(1.1)
