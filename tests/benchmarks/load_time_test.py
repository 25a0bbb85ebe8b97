import pytest

from benchmarks import load_time
from tests.benchmarks import support


@pytest.mark.slow
@pytest.mark.parametrize("keras", ["keras3", "keras2"])
def test_smoke(tmp_path, keras):
    output, content = support.run(load_time, f"--keras={keras}", cwd=tmp_path)
    assert set(content["results"]) == {
        *load_time.REFERENCES,
        *load_time.REFERENCES.values(),
    }
    assert "sparse .keras" in output
