import json
import pathlib
import subprocess
import sys
import time

import pytest

from bin import train_cifar
from bin import train_mlp
from bin import train_mobilenet
from bin import train_resnet50
from bin import train_rnn
from tests.experiments.runs import support
from tests.support import BIN
from tests.support import child_environment
from tests.support import run_python
from tf_rigl.experiments.runs import flags as run_flags

PROGRAMS = (
    train_cifar,
    train_mlp,
    train_mobilenet,
    train_resnet50,
    train_rnn,
)
PREPARED = pathlib.Path("~/tensorflow_datasets").expanduser()
TINY = (
    "--epochs=3",
    "--steps_per_epoch=3",
    "--batch_size=8",
    "--evaluation_steps=2",
    "--update_interval=2",
    "--warmup_epochs=0",
    "--schedule=cosine",
    "--learning_rate=0.01",
    "--width=0.125",
    "--checkpoint_every=2",
    "--output_dir=run",
)
CIFAR = ("--data=cifar10",)
TEXT = (
    "--data=text",
    f"--data_dir={PREPARED / 'text' / 'gcide'}",
    "--sequence_length=32",
)
REAL = {
    "train_mlp": ("--data=mnist_small",),
    "train_cifar": CIFAR,
    "train_resnet50": CIFAR,
    "train_mobilenet": CIFAR,
    "train_rnn": TEXT,
}


def name_of(program):
    return pathlib.Path(program.__file__).stem


@pytest.mark.parametrize("program", PROGRAMS, ids=name_of)
def test_defaults_meet_the_rules(program):
    settings = run_flags.settings(support.parse(defaults=program.DEFAULTS))
    for name, value in program.DEFAULTS.items():
        assert getattr(settings, name) == value


def kill_within_training(program, arguments, folder):
    """SIGKILL, as soon as the second checkpoint is there."""
    process = subprocess.Popen(
        [sys.executable, program, *arguments],
        cwd=folder,
        env=child_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 300
    while len(list((folder / "run" / "checkpoints").glob("step-*"))) < 2:
        assert process.poll() is None, "ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.wait()


@pytest.mark.parametrize(
    ("name", "keras"),
    [
        # For a quiet hour; `checkpoints_test` kills and `runs/train_test`
        # stops and resumes.
        pytest.param(name, keras, marks=pytest.mark.slow)
        for name in REAL
        for keras in ("keras3", "keras2")
    ],
)
def test_killed_resumed_evaluated_reported_on_real_data(name, keras, tmp_path):
    needed = PREPARED / ("text" if name == "train_rnn" else "cifar10")
    if name != "train_mlp" and not needed.exists():
        pytest.skip(f"needs the prepared data set {needed}")

    program = BIN / f"{name}.py"
    arguments = [*TINY, *REAL[name], f"--keras={keras}"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    run_python(program, *arguments, cwd=whole)
    kill_within_training(program, arguments, killed)
    folder = killed / "run"
    assert not (folder / "results.json").exists()

    resumed = run_python(program, *arguments, cwd=killed)
    assert "matches the trained model" in resumed
    support.assert_same_checkpoint(whole / "run", folder)

    measures = support.read_results(folder)["measures"]
    for what in ("run", "run/saved_model"):
        given = (what, *REAL[name], "--batch_size=8", "--steps=2", "--json")
        output = run_python(BIN / "evaluate.py", *given, cwd=killed)
        evaluated = json.loads(output.splitlines()[-1])
        assert evaluated.pop("examples") == 16
        assert evaluated == pytest.approx(measures, rel=1e-3)

    output = run_python(BIN / "report.py", "run", cwd=killed)
    assert output.split() == ["run/report.html"]
    assert (folder / "report.html").read_text("utf-8").startswith("<!DOCTYPE")
