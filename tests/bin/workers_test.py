"""A training program on two workers, to its end."""

import time

import pytest

from tests import support
from tests.distribution import launch
from tests.experiments.runs.support import read_results

PROGRAM = (str(support.BIN / "train_resnet50.py"),)
ARGUMENTS = (
    "--strategy=multi_worker",
    "--keras=keras2",
    "--model=resnet_18",
    "--data=synthetic_cifar10",
    "--width=0.25",
    "--epochs=4",
    "--steps_per_epoch=4",
    "--batch_size=8",
    "--evaluation_steps=2",
    "--update_interval=2",
    "--warmup_epochs=0",
    "--schedule=cosine",
    "--learning_rate=0.01",
    "--checkpoint_every=2",
    "--report",
)


def start(folder):
    arguments = [*ARGUMENTS, f"--output_dir={folder}"]
    return launch.start_workers(arguments, program=PROGRAM)


@pytest.mark.slow
def test_killed_and_started_again_it_ends_with_all_files(tmp_path):
    """Batch normalization keeps averages over all workers."""
    folder = tmp_path / "run"
    with launch.started() as workers:
        workers += start(folder)
        deadline = time.monotonic() + launch.PATIENCE
        while len(list((folder / "checkpoints").glob("step-*"))) < 2:
            assert time.monotonic() < deadline, workers[0].errors()
            time.sleep(0.05)
        workers[1].kill()
        assert workers[0].wait(launch.PATIENCE) != 0
    assert not (folder / "results.json").exists()

    with launch.started() as workers:
        workers += start(folder)
        launch.wait_for(workers)
    results = read_results(folder)
    assert results["files"]["matches"]
    assert (folder / "saved_model" / "saved_model.pb").exists()
    page = (folder / "report.html").read_text("utf-8")
    assert page.startswith("<!DOCTYPE")

    printed = support.run_python(
        support.BIN / "export.py",
        folder / "model.keras",
        folder / "model.tflite",
        "--format=litert",
        cwd=tmp_path,
    )
    assert "loaded back, matches" in printed
