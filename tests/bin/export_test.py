"""The programs that export models and look into files."""

import keras
from matplotlib import image

import tf_rigl
from tests.bin.support import BIN
from tests.bin.support import python
from tf_rigl.models import mlp


def test_export_then_inspect(tmp_path):
    model = tf_rigl.sparsify(mlp.lenet_300_100(keras), 0.98)
    model.save(tmp_path / "model.keras")
    done = python(BIN / "export.py", "model.keras", "exported", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "exported loaded back, matches model.keras" in done.stdout
    done = python(
        BIN / "inspect_model.py",
        "exported",
        "--picture=weights.png",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "fc1/kernel" in done.stdout
    assert "picture: weights.png" in done.stdout
    assert image.imread(tmp_path / "weights.png").std() > 0.01
