"""The program of compressions, from its flags to its results."""

import csv
import dataclasses
import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from matplotlib import image
from rich import console as consoles

import tf_rigl
from tests import support as processes
from tests.experiments.compress import support
from tests.experiments.report.support import Page
from tf_rigl.experiments.compress import compression
from tf_rigl.experiments.compress import early_birds
from tf_rigl.experiments.compress import files
from tf_rigl.experiments.compress import records
from tf_rigl.experiments.compress import settings
from tf_rigl.experiments.compress import trainings

NAME = support.NAME


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--criterion=slimming"], "no scale"),
        (["--ratios=", "--pruned_models=lenet_300_100"], "layers of `model`"),
        (["--data=cifar10", "--data_dir=/nowhere"], "cifar10"),
    ],
)
def test_errors_come_before_any_training(arguments, message, tmp_path, capsys):
    folder = tmp_path / "compress"
    code, _ = support.run_program(*arguments, f"--output_dir={folder}")
    assert code == 1
    error = capsys.readouterr().err
    assert error.startswith("Error: ")
    assert message in error
    assert not folder.exists()


def test_dry_run_counts(tmp_path):
    code, output = support.run_program(
        "--dry_run",
        "--seeds=2",
        "--retrain=scratch_b",
        f"--output_dir={tmp_path / 'compress'}",
    )
    assert code == 0
    (row,) = [line for line in output.splitlines() if "50 %" in line]
    assert row.split() == [
        *("50", "%", "3,077", "26.95", "%", "44,360", "48.10", "%", "4")
    ]
    assert "Trainings: large, scratch_b_0.5\nlr_0.1_s0\nlr_0.1_s1\n" in output
    assert "Compressions: 2; trainings of each: 2" in output
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_door(tmp_path):
    printed = processes.run_python(
        processes.BIN / "compress.py",
        "--dry_run",
        *(f"--{name}={value}" for name, value in support.TINY.items()),
        "--seeds=2",
        "--retrain=scratch_b",
        f"--output_dir={tmp_path / 'compress'}",
    )
    assert "Compressions: 2; trainings of each: 2" in printed
    assert not list(tmp_path.iterdir())


def compress_here(path, asked):
    """Trains what is missing of a compression in this process."""
    (point,) = settings.points(asked)
    options = dataclasses.replace(asked.options, output_dir=str(path))
    compression.run_compression(
        asked._replace(base=point.settings, options=options),
        consoles.Console(quiet=True),
    )


def test_compresses_and_trains_what_is_missing(tmp_path, capsys):
    """One process; then, here, a way more in the same folder."""
    folder = tmp_path / "compress"
    given = f"--output_dir={folder}"
    code, output = support.run_program(given, "--retrain=scratch_b")
    assert code == 0, output
    assert f"{NAME}  done" in output
    assert f"Page: {folder / 'report.html'}" in output
    page = Page(folder / "report.html")
    assert "2 of 2 trainings have finished." in page.text
    page.assert_names_no_path(folder)

    path = folder / "compressions" / NAME
    assert json.loads((path / "pruned_0.5/record.json").read_text())[
        "channels"
    ]["conv2"] == [8, 4]
    before = {one: one.stat().st_mtime_ns for one in path.glob("*/*.json")}
    compress_here(path, support.ask(given, "--retrain=scratch_b,finetune"))
    after = {one: one.stat().st_mtime_ns for one in path.glob("*/*.json")}
    assert before.items() <= after.items()
    assert {one.parent.name for one in after.keys() - before.keys()} == {
        "finetune_0.5"
    }

    asked = support.ask(given, "--retrain=scratch_b,finetune")
    assert_begun_as_they_should(path, asked)

    # All that is asked for is there, so no process starts.
    code, output = support.run_program(given, "--retrain=scratch_b,finetune")
    assert code == 0
    assert "done" not in output
    with (folder / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["kind"], row["epochs"]) for row in rows] == [
        *(("large", "2"), ("pruned", "0")),
        *(("scratch_b", "4"), ("finetune", "2")),
    ]

    for other, message in (
        ("--criterion=l2", "--criterion='l2' (it has 'l1')"),
        ("--epochs=3", "--epochs=3 (it has 2)"),
    ):
        code, _ = support.run_program(given, other)
        assert code == 1
        assert message in capsys.readouterr().err


def assert_begun_as_they_should(path, asked):
    """The filters that are left of what each way begins with."""
    (point,) = settings.points(asked)
    asked = asked._replace(base=point.settings)
    folder = files.CompressionFolder(path)
    here = compression.Compression(asked, folder, consoles.Console(quiet=True))
    target = asked.targets[0]
    begun = {
        kind: here.begin(kind, target).get_layer("conv2").get_weights()[0]
        for kind in ("finetune", "ticket", "scratch_e", "scratch_b")
    }

    masks = folder.pruned(target).read_masks()
    left = np.ix_(range(5), range(5), masks["conv1"], masks["conv2"])
    for kind, values in (("finetune", folder.end), ("ticket", folder.start)):
        kernel = tf_rigl.Snapshot.load(values).weights["conv2/kernel"]
        np.testing.assert_array_equal(begun[kind], kernel[left])
    np.testing.assert_array_equal(begun["scratch_e"], begun["scratch_b"])
    for kind in ("finetune", "ticket"):
        assert (begun[kind] != begun["scratch_e"]).mean() > 0.9
    assert (begun["finetune"] != begun["ticket"]).mean() > 0.9


def kill_within(folder, words, training):
    """SIGKILL, as soon as a training has two checkpoints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tf_rigl.experiments.compress", *words],
        env=processes.child_environment(),
    )
    deadline = time.monotonic() + 300
    while len(list((folder / training / "checkpoints").glob("step-*"))) < 2:
        assert process.poll() is None, "ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("keras", ["keras2", "keras3"])
def test_killed_and_resumed_ends_the_same(tmp_path, keras):
    arguments = (
        f"--keras={keras}",
        *("--model=resnet_8", "--width=0.25", "--data=synthetic_cifar10"),
        *(
            "--criterion=slimming",
            "--slimming_strength=0.01",
            "--checkpoint_every=2",
        ),
    )
    for name in ("whole", "killed"):
        folder = tmp_path / name
        asked = support.ask(*arguments, f"--output_dir={folder}")
        if name == "killed":
            (point,) = settings.points(asked)
            path = folder / "compressions" / NAME
            words = settings.FLAGS.process_arguments(
                asked, point.settings, str(path)
            )
            for training in trainings.trainings(asked):
                kill_within(path, words, training.name)
        code, _ = support.run_program(*arguments, f"--output_dir={folder}")
        assert code == 0
    whole, killed = (
        (tmp_path / name / "results.csv").read_text()
        for name in ("whole", "killed")
    )
    assert whole == killed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("criterion", "keras"),
    [("taylor", "keras2"), ("activation", "keras3"), ("fpgm", "keras3")],
)
def test_other_criteria(tmp_path, criterion, keras):
    asked = support.ask(
        f"--criterion={criterion}",
        *(f"--keras={keras}", "--score_batches=2", "--retrain=ticket"),
    )
    compress_here(tmp_path, asked)
    record = json.loads((tmp_path / "pruned_0.5" / "record.json").read_text())
    assert record["channels"]["conv2"] == [8, 4]


EARLY = (
    *("--model=resnet_8", "--width=0.25", "--data=synthetic_cifar10"),
    *("--criterion=slimming", "--retrain=early_bird", "--steps_per_epoch=2"),
)


@pytest.mark.slow
@pytest.mark.parametrize("keras", ["keras2", "keras3"])
def test_early_birds(tmp_path, keras):
    """At a tiny rate all masks are equal, so the ticket is of epoch 4."""
    given = (*EARLY, f"--keras={keras}", "--epochs=6", "--learning_rate=1e-9")
    asked = support.ask(*given, "--ratios=0.5,0.3")
    compress_here(tmp_path, asked)
    first = tf_rigl.Snapshot.load(tmp_path / "start.npz")
    early = tf_rigl.Snapshot.load(tmp_path / "early_0.5.npz")
    assert early.step == 8
    for path, values in early.weights.items():
        if path.endswith("kernel"):
            np.testing.assert_allclose(values, first.weights[path], atol=1e-6)
    for ratio in ("0.5", "0.3"):
        results = tmp_path / f"early_bird_{ratio}" / "results.json"
        record = json.loads(results.read_text())
        assert record["epochs"] == 2
        assert record["settings"]["learning_rate"] == pytest.approx(1e-10)

    assert image.imread(tmp_path / "distances.png").std() > 0
    (one, *_) = [
        one
        for one in records.read(tmp_path, asked, asked.base)
        if one.kind == "early_bird"
    ]
    assert (one.search, one.epochs) == (4, 2)
    assert one.cost == pytest.approx((4 + 2 * one.flops_left) / 6)

    # Ratios for which it has not looked.
    with pytest.raises(ValueError, match=r"without looking for 0.7"):
        compress_here(tmp_path, support.ask(*given, "--ratios=0.7"))


@pytest.mark.slow
def test_no_ticket_emerges(tmp_path):
    code, output = support.run_program(
        *EARLY, "--epochs=2", f"--output_dir={tmp_path}"
    )
    assert code == 0, output
    log = (tmp_path / "compressions" / NAME / "log.txt").read_text()
    assert "early_bird_0.5  no ticket has emerged" in log
    page = Page(tmp_path / "report.html").source
    assert "2 of 2 trainings" in page
    assert f"distances of the masks of each two epochs, {NAME}" in page


@pytest.mark.slow
def test_early_bird_threshold(tmp_path):
    """Masks that differ are a ticket if they may."""
    asked = support.ask(*EARLY, "--epochs=6", "--early_bird_threshold=0.9")
    compress_here(tmp_path, asked)
    results = tmp_path / "early_bird_0.5" / "results.json"
    assert json.loads(results.read_text())["epochs"] == 2

    folder = files.CompressionFolder(tmp_path)
    (target,) = asked.targets
    assert early_birds.find(folder, target, 0.9, epochs=6).epoch == 4
    assert early_birds.find(folder, target, 0.0, epochs=6) is None


def is_rounded(values):
    """Whether the columns of a kernel are 8-bit integers times powers of 2."""
    columns = values.reshape(-1, values.shape[-1])
    steps = 2.0 ** np.arange(-30, 4)
    numbers = columns / steps[:, None, None]
    fits = (numbers == np.round(numbers)) & (np.abs(numbers) <= 128)
    return fits.all(axis=1).any(axis=0).all()


@pytest.mark.slow
@pytest.mark.parametrize("select", ["select", "noselect"])
def test_early_birds_are_cut_as_at_the_end(tmp_path, select):
    """Sums tie channels whose masks differ, selections none."""
    asked = support.ask(
        *EARLY,
        *("--model=densenet_40_12", "--epochs=6", "--learning_rate=1e-9"),
        *("--retrain=finetune,ticket,scratch_e,early_bird", f"--{select}"),
    )
    compress_here(tmp_path, asked)
    found = records.read(tmp_path, asked, asked.base)
    costs = {one.kind: (one.parameters, one.flops) for one in found}
    large = costs.pop("large")
    assert len(costs) == 5
    assert len(set(costs.values())) == 1
    assert costs["early_bird"] < large
    counts = json.loads((tmp_path / "pruned_0.5/record.json").read_text())
    assert (counts["after"]["parameters"], counts["after"]["flops"]) == (
        costs["ticket"]
    )


@pytest.mark.slow
@pytest.mark.parametrize("low_precision", ["search", "all"])
def test_low_precision(tmp_path, low_precision):
    given = [one for one in EARLY if not one.startswith("--retrain")]
    asked = support.ask(
        *given, "--retrain=ticket", f"--low_precision={low_precision}"
    )
    compress_here(tmp_path, asked)
    large = tf_rigl.Snapshot.load(tmp_path / "end.npz").weights
    kernels = [one for path, one in large.items() if path.endswith("kernel")]
    assert all(map(is_rounded, kernels))
    asked = support.ask(*given, "--retrain=ticket")
    with pytest.raises(ValueError, match=r"--low_precision='none' \(it has"):
        compress_here(tmp_path, asked)
