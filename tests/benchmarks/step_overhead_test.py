import pytest

from benchmarks import step_overhead


def test_counts_steps_as_they_occur():
    combined = step_overhead.combine(update=11.0, plain=1.0)
    assert combined["step"] == pytest.approx(1.1)
    # 11 of the update, 80 plain ones, 19 of twice the time.
    combined = step_overhead.combine(11.0, 1.0, averaging=2.0, averaged=19)
    assert combined["step"] == pytest.approx(1.29)
