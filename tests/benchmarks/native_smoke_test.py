"""Benchmarks of the native library run as a user starts them."""

import pytest

from tests.benchmarks import smoke
from tests.native import cases

pytestmark = [pytest.mark.slow, cases.needs_library]


def test_native_kernels(tmp_path):
    output, results = smoke.run(
        "native_kernels", "--inputs=64", "--outputs=96", cwd=tmp_path
    )
    assert "Vectors: " in output
    parts = ("forward", "step", "update")
    assert set(results) == {
        "dense forward",
        "dense step",
        *(f"{one}% {part}" for one in (90, 95, 98) for part in parts),
    }
    assert all(len(one) == 1 and one[0] > 0 for one in results.values())


@pytest.mark.parametrize("network", ["gru", "conv7", "mobilenet"])
def test_native_step(tmp_path, network):
    output, results = smoke.run(
        "native_step",
        f"--network={network}",
        "--batch=2",
        "--sparsity=0.95",
        cwd=tmp_path,
    )
    assert f"95% of {network}" in output
    (measured,) = results.values()
    assert set(measured) == {"dense", "masked", "compressed"}


def test_native_accuracy(tmp_path, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    output, results = smoke.run(
        "native_accuracy", f"--output_dir={folder}", cwd=tmp_path
    )
    assert "mnist_small  compressed  accuracy" in output
    masked, compressed = results
    assert masked["value"] == pytest.approx(compressed["value"], abs=0.01)
    smoke.run("native_accuracy", f"--output_dir={folder}", cwd=tmp_path)
    assert len((folder / "results.jsonl").read_text().splitlines()) == 2


def test_native_crossover(tmp_path, tmp_path_factory):
    picture = tmp_path_factory.mktemp("picture") / "crossover.png"
    output, results = smoke.run(
        "native_crossover",
        "--layers=1",
        "--widths=64",
        "--sparsity=0.5",
        "--sparsity=0.9",
        f"--plot={picture}",
        cwd=tmp_path,
    )
    assert "Step of 1 layers on compressed storage" in output
    assert set(results["64"]) == {"0.5", "0.9"}
    assert picture.stat().st_size > 1000


def test_plan_latency(tmp_path):
    output, results = smoke.run("plan_latency", "--sparsity=0.9", cwd=tmp_path)
    assert results.keys() == {"Time, batch 1", "CPU time, batch 1"}
    for title, measured in results.items():
        assert title in output
        assert list(measured)[:2] == ["LiteRT, dense", "TensorFlow, dense"]
        assert "plan, 90%, v3" in measured or "v3" not in output


def test_plan_latency_of_a_recurrent_network(tmp_path):
    flags = ["--network=gru_512", "--sparsity=0.95"]
    _, results = smoke.run("plan_latency", *flags, cwd=tmp_path)
    measured = results["Time, batch 1"]
    assert {"LiteRT, dense", "LiteRT, dense, unrolled"} < measured.keys()
    assert any(name.startswith("plan, 95%") for name in measured)


def test_plan_layers(tmp_path):
    output, results = smoke.run("plan_layers", cwd=tmp_path)
    assert results.keys() == {"Time", "CPU time"}
    for title, measured in results.items():
        assert title in output
        (layer,) = measured
        assert layer in output
        assert next(iter(measured[layer])) == "LiteRT"
        assert "plan, v3" in measured[layer] or "v3" not in output
