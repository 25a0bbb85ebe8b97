import json
import pathlib

import numpy as np
import pytest
from absl import app
from matplotlib import image

from bin import train_mlp
from tests.bin.support import python
from tf_rigl.data import mnist

PROGRAM = pathlib.Path(train_mlp.__file__)
QUICK = ["--epochs=1", "--update_interval=20", "--compare_dense"]

# Loads a SavedModel where neither this library nor a Keras can be imported.
SERVE = """
import sys

for name in ("tf_rigl", "keras", "tf_keras"):
    sys.modules[name] = None
import numpy as np
import tensorflow as tf

images = tf.constant(np.load(sys.argv[2]), tf.float32) / 255.0
loaded = tf.saved_model.load(sys.argv[1])
np.save(sys.argv[3], loaded.serve(images).numpy())
"""


@pytest.fixture(scope="module", params=["keras3", "keras2"])
def finished(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    done = python(
        PROGRAM,
        *QUICK,
        f"--keras={request.param}",
        "--output_dir=out",
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return folder / "out", done.stdout


def test_says_what_it_did(finished):
    _, output = finished
    assert "Test accuracy" in output
    assert "Dense" in output
    assert "RigL 98 %" in output
    assert output.count("loaded back, matches the trained model") == 2


def test_names_files_that_exist(finished):
    folder, output = finished
    names = [word for word in output.split() if word.startswith("out/")]
    assert len(names) == 7
    for name in names:
        assert (folder.parent / name).exists(), name


def test_results_are_complete(finished):
    folder, _ = finished
    content = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    dense, sparse = content["runs"]
    assert (dense["method"], sparse["method"]) == ("dense", "rigl")
    assert dense["test_accuracy"] > 0.85
    assert sparse["test_accuracy"] > 0.5
    assert sum(sparse["connections"].values()) == 5_324
    for run in (dense, sparse):
        assert run["files"]["largest_difference"] <= 1e-5


def test_pictures_open(finished):
    folder, _ = finished
    for path in (folder / "rigl").glob("*.png"):
        assert image.imread(path).std() > 0.01
    assert len(list((folder / "rigl").glob("*.png"))) == 2
    assert not list((folder / "dense").glob("*.png"))


def test_saved_model_needs_nothing_of_ours(finished, tmp_path):
    folder, _ = finished
    digits = mnist.load("small")
    np.save(tmp_path / "images.npy", digits.test_images)
    done = python(
        "-c",
        SERVE,
        folder / "rigl" / "saved_model",
        tmp_path / "images.npy",
        tmp_path / "logits.npy",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    logits = np.load(tmp_path / "logits.npy")
    assert logits.shape == (2_000, 10)
    accuracy = (logits.argmax(axis=1) == digits.test_labels).mean()
    content = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert accuracy == pytest.approx(
        content["runs"][1]["test_accuracy"], abs=1e-6
    )


def test_dry_run_writes_nothing(tmp_path):
    done = python(PROGRAM, *QUICK, "--dry_run", "--data=mnist", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 epochs of 468 steps, 468 in all" in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--sparsity=1.5"], "--sparsity=1.5: must be in [0, 1)"),
        (["--batch_size=20000"], "Error: `batch_size` must not exceed"),
    ],
)
def test_wrong_settings_stop_at_once(tmp_path, arguments, text):
    done = python(PROGRAM, *arguments, cwd=tmp_path)
    assert done.returncode != 0
    assert text in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_arguments_that_are_no_flags():
    with pytest.raises(app.UsageError, match="Unknown arguments: rigl"):
        train_mlp.main(["train_mlp.py", "rigl"])
