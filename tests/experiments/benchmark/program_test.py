"""The program of benchmarks, from its flags to its files."""

import contextlib
import csv
import io
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from absl import flags
from matplotlib import image
from rich import console as consoles

import tf_rigl
from tests import support
from tf_rigl import native
from tf_rigl.experiments.benchmark import child as children
from tf_rigl.experiments.benchmark import measurement
from tf_rigl.experiments.benchmark import model_paths
from tf_rigl.experiments.benchmark import program
from tf_rigl.experiments.benchmark import settings

QUICK = ("--rounds=2", "--seconds=0.001", "--batch_sizes=1,3")


def ask(*arguments):
    values = flags.FlagValues()
    settings.define(values)
    values(["program", *QUICK, *arguments])
    return settings.read(values)


def run(output, *arguments, code=0):
    """Runs the program: what it printed, and its results."""
    paths = [one for one in arguments if not str(one).startswith("--")]
    given = [one for one in arguments if one not in paths]
    file = io.StringIO()
    asked = ask(f"--output_dir={output}", *given)
    console = consoles.Console(file=file, width=80)
    assert program.run(paths, asked, console) == code
    results = json.loads((output / "results.json").read_text("utf-8"))
    return file.getvalue(), results


@pytest.fixture
def started(monkeypatch):
    """The processes that the program starts."""
    found = []

    class Noted(subprocess.Popen):
        def __init__(self, *arguments, **keywords):
            super().__init__(*arguments, **keywords)
            found.append(self)

    monkeypatch.setattr(children.subprocess, "Popen", Noted)
    return found


def test_files_side_by_side(folder, tmp_path, started):
    np.save(tmp_path / "data.npy", np.ones((2, 20)))
    names = ["model.tflite"]
    if native.available():
        names += ["model.plan"]
    paths = [folder / name for name in (*names, "broken.tflite")]
    given = (f"--input={tmp_path / 'data.npy'}", "--threads=1,2")
    printed, results = run(tmp_path / "out", *paths, *given, code=1)

    assert max(map(len, printed.splitlines()[:-1])) <= 80
    # Which is fastest, where there is more than one.
    assert ("Batch 3, 2 threads: " in printed) == native.available()
    assert "broken.tflite cannot be run: " in printed
    assert {one["model"] for one in results["failures"]} == {"broken.tflite"}
    keys = [
        (one["threads"], one["batch_size"], one["model"])
        for one in results["measurements"]
    ]
    assert keys == [
        (threads, batch, name)
        for threads in (1, 2)
        for batch in (1, 3)
        for name in names
    ]
    for one in results["measurements"]:
        assert len(one["rounds"]) == 2
        assert 0 < one["seconds"] <= max(one["rounds"])
        assert 0 < one["memory_bytes"] < one["process_bytes"]
        is_first = one["model"] == names[0]
        assert (one["speedup"] == 1) == is_first
        if is_first:
            assert one["difference"] is None
        else:
            assert one["difference"] < 1e-5
        # TensorFlow would take half a gigabyte.
        assert one["process_bytes"] < 2**28

    with (tmp_path / "out" / "results.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(keys)
    assert image.imread(tmp_path / "out/benchmark.png").std() > 0.01
    assert len(started) == 2 * len(paths)
    assert all(one.returncode is not None for one in started)


def test_inputs_of_another_model(folder, tmp_path):
    path = tmp_path / "wide.npy"
    np.save(path, np.zeros((5, 21)))
    tflite = folder / "model.tflite"
    printed, results = run(tmp_path, tflite, f"--input={path}", code=1)
    assert not results["measurements"]
    assert "cannot be run with batch 1, 3: `input` must have the" in printed


def make(folder, tmp_path, show):
    models = model_paths.find([folder / "model.tflite"] * 2)
    logs = tmp_path / "logs"
    return measurement.Benchmark(models, ask(), logs, show)


def test_a_process_that_dies(folder, tmp_path, started):
    def kill(done, label, detail):
        if detail == "model.tflite, round 2":
            started[0].kill()

    benchmark = make(folder, tmp_path, kill)
    benchmark.run()
    (failure,) = benchmark.results.failures
    assert failure.model == "model.tflite"
    assert failure.batch_size == 1
    assert failure.reason.startswith("Its process was ended by SIGKILL")
    found = benchmark.results.measurements
    assert {one.model for one in found} == {"model.tflite (2)"}


def test_an_interrupted_benchmark_leaves_no_process(folder, tmp_path, started):
    def interrupt(done, label, detail):
        if "round 2" in detail:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(folder, tmp_path, interrupt).run()
    assert len(started) == 2
    assert all(one.returncode == -signal.SIGKILL for one in started)


@pytest.mark.slow
def test_steps_are_as_many_as_announced(folder, tmp_path):
    seen = []
    make(folder, tmp_path, lambda done, *_: seen.append(done)).run()
    benchmark = make(folder, tmp_path, None)
    assert seen == sorted(seen)
    assert seen[-1] == benchmark.total - 1


def test_a_worker_ends_with_its_program():
    command = [sys.executable, "-m", "tf_rigl.experiments.benchmark.worker"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=support.child_environment(),
    ) as process:
        process.stdin.write(b'["nothing", {}]\n')
        process.stdin.flush()
        assert "error" in json.loads(process.stdout.readline())
        process.stdin.close()
        assert process.wait(20) == 0


MINE = """
import keras

@keras.saving.register_keras_serializable("mine")
class Raises(keras.layers.Layer):
    def call(self, inputs):
        if inputs.shape[0] == 3:
            raise RuntimeError("three are too many")
        return inputs
"""


@pytest.mark.slow
def test_models_of_tensorflow(folder, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mine_raises.py").write_text(MINE, "utf-8")
    import keras
    import mine_raises
    import tf_keras

    raising = keras.Sequential([keras.Input((20,)), mine_raises.Raises()])
    raising.save(tmp_path / "raising.keras")
    second = tf_rigl.sparsify(support.make_mlp(tf_keras), 0.8)
    second.save(tmp_path / "second.keras")
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "saved_model.pb").write_bytes(b"nothing")
    paths = [
        folder / "model.keras",
        folder / "packed",
        tmp_path / "second.keras",
        tmp_path / "raising.keras",
        damaged,
    ]
    printed, results = run(
        tmp_path / "out", *paths, "--imports=mine_raises", code=1
    )
    measured = {(x["model"], x["batch_size"]) for x in results["measurements"]}
    names = ("model.keras", "packed", "second.keras")
    assert measured == {
        *((name, batch) for name in names for batch in (1, 3)),
        ("raising.keras", 1),
    }
    for one in results["measurements"]:
        if one["model"] == "packed":
            assert one["difference"] < 1e-5
    assert "raising.keras cannot be run with batch 3: " in printed
    assert "damaged cannot be run: " in printed


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_no_process(folder, tmp_path, number):
    paths = [folder / "model.tflite", folder / "model.keras"]
    arguments = ["benchmark", *map(str, paths), "--seconds=60"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tf_rigl", *arguments],
        cwd=tmp_path,
        env=support.child_environment(),
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
    )
    below = wait_for(lambda: two_below(process.pid), 120)
    time.sleep(5.0)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "Traceback" not in errors
    wait_for(lambda: not any(map(is_running, below)), 20)


def wait_for(condition, seconds):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def two_below(pid):
    """The children of a process, once there are two."""
    found = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
    children_of = found.read_text("ascii").split()
    return list(map(int, children_of)) if len(children_of) == 2 else None


def is_running(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        state = pathlib.Path(f"/proc/{pid}/stat").read_text("ascii")
        return state.rpartition(")")[2].split()[0] != "Z"
    return False
