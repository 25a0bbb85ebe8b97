"""The programs that export models and look into files."""

import keras
from matplotlib import image

import tf_rigl
from tests.bin.support import BIN
from tests.bin.support import succeed
from tf_rigl.models import mlp


def test_export_then_inspect(tmp_path):
    model = tf_rigl.sparsify(mlp.lenet_300_100(keras), 0.98)
    model.save(tmp_path / "model.keras")
    names = ("model.keras", "exported")
    output = succeed(BIN / "export.py", *names, cwd=tmp_path)
    assert "exported loaded back, matches model.keras" in output

    arguments = ("exported", "--picture=weights.png")
    output = succeed(BIN / "inspect_model.py", *arguments, cwd=tmp_path)
    assert "fc1/kernel" in output
    assert "picture: weights.png" in output
    assert image.imread(tmp_path / "weights.png").std() > 0.01
