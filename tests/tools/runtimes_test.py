import json

import numpy as np
import pytest

import tf_rigl
from tests.support import one_keras
from tools import marked
from tools import run_in_runtime
from tools import runtimes

pytestmark = pytest.mark.source_tree


@pytest.fixture(scope="module")
def record():
    return json.loads(runtimes.RECORD.read_text(encoding="utf-8"))


def test_the_page_shows_the_record(record):
    page = runtimes.PAGE.read_text(encoding="utf-8")
    assert marked.find(page, runtimes.MARK) == runtimes.render(record)


def test_the_record_is_whole(record):
    assert record.keys() == runtimes.RUNTIMES.keys()
    for name, runtime in runtimes.RUNTIMES.items():
        assert record[name]["results"].keys() == {
            form
            for form, one in runtimes.FORMATS.items()
            if one.kind in runtime.loaders
        }


def test_docstrings_claim_what_was_seen(record):
    """Of `export_saved_model` and `export_litert`: who refuses what."""
    packed = {"packed", 'values="int8"'}
    sparse = {"float32", "float16", "dynamic_int8", "full_int8"}
    refused = {
        "OpenVINO": {*packed, "row_major=False"},
        "TF.js converter": packed,
        "ONNX Runtime": {*sparse, "row_major=False"},
    }
    found = {
        name: {
            form
            for form, result in one["results"].items()
            if result["outcome"] not in ("runs", "converts")
        }
        for name, one in record.items()
    }
    assert {name: forms for name, forms in found.items() if forms} == refused
    docstring = tf_rigl.export_litert.__doc__
    assert "LiteRT 1.4 to 2.3, TensorFlow 2.18 to" in docstring


@one_keras("keras")
@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter:UserWarning")
def test_the_probe(keras, tmp_path, capsys):
    model = keras.Sequential(
        [keras.Input((40,)), keras.layers.Dense(50), keras.layers.Dense(3)]
    )
    tf_rigl.sparsify(model, 0.8)
    inputs = np.ones((2, 40), np.float32)
    np.save(tmp_path / "inputs.npy", inputs)
    np.save(tmp_path / "expected.npy", model(inputs))
    path = tmp_path / "model.tflite"
    tf_rigl.export_litert(model, path)

    def probe(loader):
        names = (path, tmp_path / "inputs.npy", tmp_path / "expected.npy")
        run_in_runtime.main(loader, *map(str, names))
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    assert probe("tensorflow_lite")["difference"] < 1e-5
    path.write_bytes(b"nothing of the kind")
    assert "model.tflite" not in probe("tensorflow_lite").get("error", "")
    assert probe("saved_model").keys() == {"error"}


def test_reasons_have_no_paths():
    error = RuntimeError(
        'Traceback (most recent call last):\n  File "/a/b.py"\n'
        "KeyError: in /usr/lib/python/x.py"
    )
    assert run_in_runtime._reason(error) == "KeyError: in …"
    error = RuntimeError(
        "Exception from src/core.cpp:84: Check 'false' failed at "
        "src/x.cpp:151: not converted"
    )
    assert run_in_runtime._reason(error) == "not converted"


def test_other_content_between_marks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- t -->\n\n<!-- /t -->\nb\n", encoding="utf-8")
    for content in ("| 1 |", "| 2 |"):
        marked.replace(page, "t", content)
        text = page.read_text(encoding="utf-8")
        assert text == f"a\n<!-- t -->\n\n{content}\n\n<!-- /t -->\nb\n"
