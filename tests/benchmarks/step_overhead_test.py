import pytest

from benchmarks import measure
from benchmarks import step_overhead
from tests.benchmarks import support


@pytest.mark.slow
def test_smoke(tmp_path):
    output, content = support.run(
        step_overhead, "--model=lenet_300_100", cwd=tmp_path
    )
    measured = content["results"]["lenet_300_100"]
    assert tuple(measured) == measure.CONTENDERS
    for name, rounds in measured.items():
        assert name in output
        assert len(rounds) == 1
        assert rounds[0]["plain"] > 0
    assert content["environment"]["cores"] >= 1


def test_counts_steps_as_they_occur():
    combined = step_overhead.combine(update=11.0, plain=1.0)
    assert combined["step"] == pytest.approx(1.1)
