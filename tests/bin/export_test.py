"""The programs that export models and look into files."""

import keras
import pytest
from matplotlib import image

import tf_rigl
from tests.bin.support import BIN
from tests.bin.support import python
from tf_rigl.models import mlp


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("export")
    tf_rigl.sparsify(mlp.lenet_300_100(keras), 0.98).save(path / "model.keras")
    return path


def test_export_then_inspect(folder):
    done = python(BIN / "export.py", "model.keras", "exported", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "exported loaded back, matches model.keras" in done.stdout
    done = python(
        BIN / "inspect_model.py",
        "exported",
        "--picture=weights.png",
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    assert "fc1/kernel" in done.stdout
    assert "picture: weights.png" in done.stdout
    assert image.imread(folder / "weights.png").std() > 0.01


def test_errors_are_a_line(folder):
    done = python(BIN / "export.py", "nothing.keras", "out", cwd=folder)
    assert done.returncode == 1
    assert "Error: A model must be read" in done.stderr
    assert "Traceback" not in done.stderr
