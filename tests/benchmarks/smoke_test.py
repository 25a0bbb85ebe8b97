"""Every benchmark runs as a user starts it, as short as can be."""

import json

import numpy as np
import pytest

from benchmarks import measure
from tests.benchmarks import smoke
from tests.support import ROOT
from tests.support import run_python

pytestmark = pytest.mark.slow


def test_export_latency(tmp_path):
    output, results = smoke.run(
        "export_latency", "--network=lenet_300_100", cwd=tmp_path
    )
    saved_models = {"dense, by Keras", "dense", "bit_mask", "smallest"}
    found = {title: set(one) for title, one in results.items()}
    assert found == {
        "Load": saved_models,
        "Call, batch 1": saved_models,
        "LiteRT, load": {"float32, dense", "float32, sparse"},
        "LiteRT, call, batch 1": {"float32, dense", "float32, sparse"},
    }
    assert all(title in output for title in found)


def test_export_latency_of_layers(tmp_path):
    output, results = smoke.run(
        "export_latency",
        "--network=depthwise_5x5_256",
        "--quantization=dynamic_int8",
        "--quantization=full_int8",
        cwd=tmp_path,
    )
    assert "LiteRT files are run by " in output
    assert results.keys() == {"LiteRT, load", "LiteRT, call, batch 1"}
    assert results["LiteRT, load"].keys() == {
        f"{quantization}, {kind}"
        for quantization in ("dynamic_int8", "full_int8")
        for kind in ("dense", "sparse")
    }


def test_channel_latency(tmp_path):
    output, results = smoke.run(
        "channel_latency", "--network=lenet_300_100", cwd=tmp_path
    )
    assert results.keys() == {"TensorFlow, batch 1", "LiteRT, batch 1"}
    for title, measured in results.items():
        whole, *smaller = measured
        assert whole == "whole"
        assert [name.partition(" ")[0] for name in smaller] == ["30", "50"]
        assert title in output


@pytest.mark.slow
def test_odd_channels(tmp_path):
    output, results = smoke.run("odd_channels", "--channels=5", cwd=tmp_path)
    assert results.keys() == {"keras", "tf_keras"}
    for title, measured in results.items():
        assert measured.keys() == {"5", "8"}
        assert title in output


@pytest.mark.slow
def test_channel_latency_of_a_compression(tmp_path, tmp_path_factory):
    folder = tmp_path_factory.mktemp("compress")
    run_python(
        *("-m", "tf_rigl", "compress", "--model=lenet_5", "--data=mnist_small"),
        *("--criterion=l1", "--ratios=0.5", "--retrain=scratch_e", "--seeds=1"),
        *("--epochs=1", "--schedule=constant", "--decay_epochs="),
        *("--steps_per_epoch=2", f"--output_dir={folder}"),
    )
    path = folder / "compressions" / "lr_0.1_s0"
    _, results = smoke.run(
        "channel_latency", f"--compression={path}", cwd=tmp_path
    )
    for measured in results.values():
        assert [*measured][1].startswith("50 % removed, 0.")


@pytest.mark.parametrize("layer", ["dense", "conv"])
def test_factorize_latency(tmp_path, layer):
    output, results = smoke.run(
        "factorize_latency", f"--layer={layer}", cwd=tmp_path
    )
    titles = {f"64 units, {name}, batch 1" for name in ("TensorFlow", "LiteRT")}
    assert results.keys() == titles
    for title, measured in results.items():
        assert measured.keys() == {"dense", "10% of the parameters"}
        assert title in output


def test_factorize_accuracy_goes_on_where_it_was_killed(tmp_path):
    program = ROOT / "benchmarks" / "factorize_accuracy.py"
    chosen = ("--seeds=1", "--epochs=1", "--rank_scale=0.05")
    file = tmp_path / "runs.jsonl"
    first = run_python(program, *chosen, f"--results={file}", cwd=tmp_path)
    lines = file.read_text().splitlines(keepends=True)
    assert len(lines) == 5
    spectral = json.loads(lines[1])
    assert spectral["initialization"] == "spectral"
    assert spectral["parameters"] == 19_670
    assert spectral["accuracy"] > 50

    file.write_text("".join(lines[:4]))
    again = run_python(program, *chosen, f"--results={file}", cwd=tmp_path)
    assert file.read_text().splitlines(keepends=True)[:4] == lines[:4]
    assert len(file.read_text().splitlines()) == 5
    assert "19,670" in first and again.count("'task'") == 1


def test_export_size(tmp_path):
    output, results = smoke.run(
        "export_size",
        "--network=lenet_300_100",
        "--sparsity=0.9",
        cwd=tmp_path,
    )

    sizes = results["lenet_300_100"]["0.9"]
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
    assert sizes["smallest, seed"] < sizes["smallest, int8"]
    assert sizes["LiteRT, float32"] < 0.25 * sizes["LiteRT, dense"]
    assert "smallest, int8" in output


def test_fine_tune(tmp_path):
    output, results = smoke.run("fine_tune", "--sparsity=0.9", cwd=tmp_path)

    ways = {"90% one_shot", "90% gradual", "90% rigl", "90% ac_dc"}
    assert set(results) == {
        "dense",
        "dense, trained further",
        "90% pruned, not trained",
        *ways,
    }
    figures = {name: rounds[0] for name, rounds in results.items()}
    assert figures["dense"]["accuracy"] > 0.8
    dense = figures["dense"]["bytes"]
    for way in ways:
        assert figures[way]["accuracy"] > 0.8
        # 26,620 of 266,200 weights, their positions, and a graph of 40 kB.
        assert 0.1 * dense < figures[way]["bytes"] < 0.14 * dense
        assert way in output


def test_input_pipeline(tmp_path):
    output, results = smoke.run(
        "input_pipeline",
        "--dataset=imagenet2012",
        "--dataset=mnist_small",
        "--image_size=32",
        # Where nothing is: the images are random ones.
        "--data_dir=nowhere",
        cwd=tmp_path,
    )

    assert "16 JPEGs of random pixels" in output
    for name in ("imagenet2012", "mnist_small"):
        rates = results[name]
        assert name in output
        assert set(rates) == {"pipeline", "step", "both"}
        assert all(len(each) == 1 and each[0] > 0 for each in rates.values())


@pytest.mark.parametrize("keras", ["keras3", "keras2"])
def test_load_time(tmp_path, keras):
    output, results = smoke.run("load_time", f"--keras={keras}", cwd=tmp_path)
    assert set(results) == {
        "dense .keras",
        "sparse .keras",
        "dense weights",
        "sparse weights",
        "packed weights",
    }
    assert "sparse .keras" in output


def test_later_fit(tmp_path):
    output, results = smoke.run("later_fit", cwd=tmp_path)
    assert set(results) == {"dense", "sparse"}
    assert "sparse" in output


def test_mask_update(tmp_path):
    output, results = smoke.run("mask_update", cwd=tmp_path)
    assert "selection: 0 entries differ from sorting's" in output
    assert set(results) >= {
        "sorting",
        "sorting, XLA",
        "selection",
        "selection, XLA",
    }
    assert "3 masked weights, 266,200 elements" in output


def test_memory(tmp_path):
    # Each is a process that imports TensorFlow, so two of the five.
    output, results = smoke.run(
        "memory",
        "--model=lenet_300_100",
        "--contender=tf_keras/dense",
        "--contender=tf_keras/tf_rigl",
        cwd=tmp_path,
    )

    dense, sparse = (rounds[0] for rounds in results["lenet_300_100"].values())
    assert dense["elements"] == 0
    assert sparse["elements"] == 266_200
    more = sparse["at_rest"] - dense["at_rest"]
    # Nine bits for each element and a few counters.
    assert more / sparse["elements"] == pytest.approx(1.125, abs=0.001)
    assert sparse["peak"] > sparse["at_rest"]
    assert "tf_keras/tf_rigl" in output


def test_pruning_tfmot(tmp_path, tmp_path_factory):
    data = tmp_path_factory.mktemp("text")
    for part in ("train", "valid", "test"):
        (data / f"{part}.txt").write_text("the quick brown fox " * 1000)
    output, results = smoke.run(
        "pruning_tfmot", f"--data_dir={data}", cwd=tmp_path
    )
    assert results["tf_rigl"] == pytest.approx(results["tfmot"], abs=1e-4)
    assert results["static"] != pytest.approx(results["tfmot"], abs=1e-4)
    assert "bits per character" in output


def test_prune_to_neuron(tmp_path):
    output, results = smoke.run(
        "prune_to_neuron", "--units=16", "--units=256", cwd=tmp_path
    )
    assert list(results) == ["16", "256"]
    (few,), (many,) = (results[units]["error"] for units in results)
    assert few > 4 * many > 0
    assert "A neuron of 8 inputs" in output


def test_supermasks(tmp_path):
    output, results = smoke.run("supermasks", "--levels=2", cwd=tmp_path)
    # Edge-popup; means and thresholds; two networks, four criteria in each way.
    assert len(results) == 4 + 2 * 4 + 2 + 2 * 4
    assert all(row in output for row in results)


@pytest.mark.timeout(1800)
def test_networks_that_are_never_trained(tmp_path):
    """Of the reference's order and size, on embedded MNIST, in full length."""
    output = run_python(
        ROOT / "benchmarks" / "supermasks.py",
        "--rounds=1",
        "--json=figures.json",
        cwd=tmp_path,
    )
    content = json.loads((tmp_path / "figures.json").read_text("utf-8"))
    found = {row: value for row, (value,) in content["results"].items()}
    scores = [
        found[f"edge-popup, signed_kaiming, {left}% left"]
        for left in (50, 30, 10)
    ]
    assert scores[0] >= 91, output
    assert scores == sorted(scores, reverse=True)
    constant = "supermask, constant"
    assert found[f"{constant}, rescaled, thresholded"] >= 94.5
    assert found[f"{constant}, thresholded"] < 94.5
    same = found["heuristic, large_final_same_sign, constant"]
    assert same >= 88
    assert same > found["heuristic, large_final, constant"] > 50
    assert found["heuristic, large_final_diff_sign, constant"] < 25
    assert found["untrained"] < 20


def test_scale(tmp_path):
    output, results = smoke.run(
        "scale",
        "--model=lenet_300_100",
        "--devices=1",
        "--devices=2",
        "--devices=workers",
        "--keras=tf_keras",
        cwd=tmp_path,
    )

    measured = results["lenet_300_100"]
    assert list(measured) == ["1 tf_keras", "2 tf_keras", "workers tf_keras"]
    bytes_summed = {
        where: [figures[method]["bytes"] for method in ("dense", "tf_rigl")]
        for where, figures in measured.items()
    }
    gradients = 4 * 266_610
    assert bytes_summed["1 tf_keras"] == [0, 0]
    assert bytes_summed["2 tf_keras"] == [gradients, gradients]
    # Workers also sum what they log.
    dense, sparse = bytes_summed["workers tf_keras"]
    assert gradients <= dense == sparse < gradients + 64
    assert "2 workers tf_keras/tf_rigl" in output


def test_shrink(tmp_path):
    output, results = smoke.run(
        "shrink", "--network=lenet_300_100", cwd=tmp_path
    )
    measured = results["lenet_300_100"]
    assert set(measured) == {"values", "model", "shrink"}
    assert all(one["seconds"] > 0 for (one,) in measured.values())
    # 266,610 weights.
    assert "lenet_300_100, 1 MiB of weights" in output


def test_step_overhead(tmp_path):
    output, results = smoke.run(
        "step_overhead", "--model=lenet_300_100", cwd=tmp_path
    )
    measured = results["lenet_300_100"]
    assert tuple(measured) == measure.CONTENDERS
    for name, rounds in measured.items():
        assert name in output
        assert len(rounds) == 1
        assert rounds[0]["plain"] > 0


def test_wann_generation(tmp_path):
    output, results = smoke.run("wann_generation", "--workers=1", cwd=tmp_path)
    assert "A generation of 8" in output and "Load average" in output
    assert all(len(taken) == 1 for taken in results.values())
    assert len(results) == 2


def test_wann_digits(tmp_path):
    output, results = smoke.run("wann_digits", cwd=tmp_path)
    assert "Test accuracy with" in output
    assert set(results) == {"champion", "random topologies", "linear"}
    assert all(
        0 < one[column] < 1
        for rows in results.values()
        for one in rows
        for column in ("trained", "trained by RigL")
    )


def test_gradient_candidates(tmp_path):
    _, results = smoke.run("gradient_candidates", cwd=tmp_path)
    assert np.mean(results["bfloat16"]) > 0.95
    few, many = (np.mean(results[f"first, {n} x"]) for n in (1, 16))
    assert 0 < few < many < 1


def test_steady_rigl(tmp_path, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    output, results = smoke.run(
        "steady_rigl", f"--output_dir={folder}", cwd=tmp_path
    )
    methods = {one["method"] for one in results}
    assert {"static", "rigl", "rigl(gradient_steps=20)", "snfs"} < methods
    assert len(results) == len(methods) == 8
    for method in methods:
        assert method in output
