import pytest

from benchmarks import memory
from tests.benchmarks import support


@pytest.mark.slow
def test_smoke(tmp_path):
    # Each is a process that imports TensorFlow, so two of the five.
    output, content = support.run(
        memory,
        "--model=lenet_300_100",
        "--contender=tf_keras/dense",
        "--contender=tf_keras/tf_rigl",
        cwd=tmp_path,
    )

    dense, sparse = (
        rounds[0] for rounds in content["results"]["lenet_300_100"].values()
    )
    assert dense["elements"] == 0
    assert sparse["elements"] == 266_200
    more = sparse["at_rest"] - dense["at_rest"]
    # Nine bits for each element and a few counters.
    assert more / sparse["elements"] == pytest.approx(1.125, abs=0.001)
    assert sparse["peak"] > sparse["at_rest"]
    assert "tf_keras/tf_rigl" in output
