import pytest

from benchmarks import export_size
from tests.benchmarks import support


@pytest.mark.slow
def test_smoke(tmp_path):
    output, content = support.run(
        export_size,
        "--network=lenet_300_100",
        "--sparsity=0.9",
        cwd=tmp_path,
    )

    sizes = content["results"]["lenet_300_100"]["0.9"]
    # 266,200 weights, 26,620 of them left, and 410 biases.
    entropy = 266_200 * 0.469 / 8
    assert sizes["bound, float32"] == pytest.approx(
        4 * 27_030 + entropy, rel=0.05
    )
    assert 4 * 266_610 < sizes["dense"] < 4 * 266_610 + 60_000
    # The graph takes about 40 kB.
    assert 0 < sizes["smallest"] - sizes["bound, float32"] < 60_000
    # Names of functions hold numbers, which grow from export to export.
    assert sizes["smallest"] <= sizes["gaps"] + 100 < sizes["dense"]
    assert sizes["smallest, int8"] < sizes["smallest, float16"]
    assert sizes["LiteRT, float32"] < 0.25 * sizes["LiteRT, dense"]
    assert "smallest, int8" in output
