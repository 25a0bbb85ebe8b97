import pytest

from benchmarks import pruning_tfmot
from tests.benchmarks import support


@pytest.mark.slow
def test_smoke(tmp_path, tmp_path_factory):
    data = tmp_path_factory.mktemp("text")
    for part in ("train", "valid", "test"):
        (data / f"{part}.txt").write_text("the quick brown fox " * 1000)
    output, content = support.run(
        pruning_tfmot, f"--data_dir={data}", cwd=tmp_path
    )
    results = content["results"]
    assert results["tf_rigl"] == pytest.approx(results["tfmot"], abs=1e-4)
    assert results["static"] != pytest.approx(results["tfmot"], abs=1e-4)
    assert "bits per character" in output
