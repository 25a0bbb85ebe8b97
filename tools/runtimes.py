#!/usr/bin/env python3
"""Loads what is exported in the runtimes that users have, one after the other.

Makes a small sparse network, exports it in each format, and for each runtime an
environment by pip, in which every file is loaded and run in a process of its
own; the environment is removed then. Runtimes of the same packages share one.
Results are kept by runtime in
`benchmarks/results/runtimes/results.json`; `docs/runtimes.md` shows them. Takes
about an hour and 4 GB; one runtime takes minutes.

Usage: python tools/runtimes.py [--runtime="LiteRT 2.3"] [--python=python3.11]
"""

import functools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any
from typing import NamedTuple

from absl import app
from absl import flags

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

RECORD = ROOT / "benchmarks" / "results" / "runtimes" / "results.json"
PAGE = ROOT / "docs" / "runtimes.md"
MARK = "runtimes"
_PROBE = ROOT / "tools" / "run_in_runtime.py"

SAVED_MODEL, LITERT = "SavedModels", "LiteRT files"


class Runtime(NamedTuple):
    """Something that loads files."""

    requirements: tuple[str, ...]  # for pip
    loaders: dict[str, str]  # by kind of file, the functions of the probe


class Format(NamedTuple):
    """A way to export."""

    kind: str
    write: Callable[..., Any]  # of model, path and examples
    limit: float  # the largest difference, as a share of the largest output


def _saved_model(model: Any, path: str, data: Any, **arguments: Any) -> None:
    del data
    import tf_rigl

    tf_rigl.export_saved_model(model, path, **arguments)


def _litert(
    model: Any, path: str, data: Any, quantization: str, **options: Any
) -> None:
    import tf_rigl

    tf_rigl.export_litert(
        model,
        path,
        quantization,
        data if quantization == "full_int8" else None,
        options=tf_rigl.LiteRTOptions(**options),
    )


def _packed(limit: float = 1e-5, **arguments: Any) -> Format:
    write = functools.partial(_saved_model, **arguments)
    return Format(SAVED_MODEL, write, limit)


def _file(quantization: str, limit: float, **options: Any) -> Format:
    write = functools.partial(_litert, quantization=quantization, **options)
    return Format(LITERT, write, limit)


FORMATS = {
    "packed": _packed(),
    'values="int8"': _packed(limit=0.1, values="int8"),
    "compression=None": _packed(compression=None),
    "float32": _file("float32", 1e-5),
    "float16": _file("float16", 0.01),
    "dynamic_int8": _file("dynamic_int8", 0.1),
    "full_int8": _file("full_int8", 0.1),
    "row_major=False": _file("float32", 1e-5, row_major=False),
    "sparse=False": _file("float32", 1e-5, sparse=False),
}

_TENSORFLOW = {SAVED_MODEL: "saved_model", LITERT: "tensorflow_lite"}
_LITERT_ONLY = {LITERT: "litert"}
_NEWEST = "tensorflow==2.21.*"
RUNTIMES = {
    **{
        f"TensorFlow {version}": Runtime(
            (f"tensorflow=={version}.*",), _TENSORFLOW
        )
        for version in ("2.18", "2.19", "2.20", "2.21")
    },
    "TFSMLayer": Runtime((_NEWEST,), {SAVED_MODEL: "layer"}),
    "TF1 loader": Runtime((_NEWEST,), {SAVED_MODEL: "version_1"}),
    **{
        f"LiteRT {version}": Runtime(
            (f"ai-edge-litert=={version}.*",), _LITERT_ONLY
        )
        for version in ("1.4", "2.0", "2.1", "2.2", "2.3")
    },
    "ONNX Runtime": Runtime(
        ("onnxruntime", "tf2onnx", _NEWEST),
        {SAVED_MODEL: "onnx_runtime", LITERT: "onnx_runtime"},
    ),
    "OpenVINO": Runtime(
        ("openvino",), {SAVED_MODEL: "openvino", LITERT: "openvino"}
    ),
    # It imports TensorFlow Decision Forests, whose `ydf` needs a newer protobuf
    # than TensorFlow 2.19 takes, in later versions.
    "TF.js converter": Runtime(
        ("tensorflowjs", "ydf<0.12"), {SAVED_MODEL: "tensorflow_js"}
    ),
}
# Of which the record holds the version.
_SHOWN = (
    "tensorflow",
    "keras",
    "ai-edge-litert",
    "onnxruntime",
    "tf2onnx",
    "openvino",
    "tensorflowjs",
)


def define_flags() -> None:
    """Defines the flags of this program."""
    flags.DEFINE_multi_enum(
        "runtime", list(RUNTIMES), list(RUNTIMES), "What to try."
    )
    flags.DEFINE_string("python", "python3.11", "Makes the environments.")


def export_all(folder: pathlib.Path) -> None:
    """Writes a network in all formats, its inputs and outputs."""
    import keras
    import numpy as np

    import tf_rigl

    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((28, 28, 3)),
            layers.Conv2D(32, 3, strides=2, activation="relu"),
            layers.BatchNormalization(),
            layers.DepthwiseConv2D(3, padding="same"),
            layers.Conv2D(64, 1, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(200, activation="relu"),
            layers.Dense(90),
        ]
    )
    tf_rigl.sparsify(model, 0.95)
    random = np.random.default_rng(0)
    data = random.normal(size=(4, 28, 28, 3)).astype(np.float32)
    np.save(folder / "inputs.npy", data)
    np.save(folder / "expected.npy", np.asarray(model(data)))
    for number, form in enumerate(FORMATS.values()):
        form.write(model, str(folder / _file_name(number)), data)


def try_runtimes(
    names: Iterable[str], python: str, folder: pathlib.Path
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Makes an environment and runs all that these may load in it.

    They are runtimes of the same packages; yields each with its results.
    """
    names = list(names)
    environment = folder / "environment"
    subprocess.run([python, "-m", "venv", environment], check=True)
    inside = environment / "bin" / "python"
    packages = RUNTIMES[names[0]].requirements
    try:
        subprocess.run(
            [inside, "-m", "pip", "install", "--quiet", *packages], check=True
        )
        versions = _versions(inside)
        for name in names:
            loaders = RUNTIMES[name].loaders
            results = {
                form: _run(inside, loaders[FORMATS[form].kind], path, form)
                for form, path in _paths(folder).items()
                if FORMATS[form].kind in loaders
            }
            yield name, {"versions": versions, "results": results}
    finally:
        shutil.rmtree(environment)


def render(record: dict[str, Any]) -> str:
    """Returns the tables of the page, and what runtimes say that refuse."""
    said: dict[str, str] = {}
    parts = []
    for kind in (SAVED_MODEL, LITERT):
        forms = [name for name, form in FORMATS.items() if form.kind == kind]
        rows = [
            [kind, *(f"`{form}`" if "=" in form else form for form in forms)],
            ["---"] * (1 + len(forms)),
        ]
        for name, runtime in RUNTIMES.items():
            if name in record and kind in runtime.loaders:
                results = record[name]["results"]
                cells = [_cell(results[form], said) for form in forms]
                rows.append([_titled(name, record[name]["versions"]), *cells])
        parts.append("\n".join(f"| {' | '.join(row)} |" for row in rows))
    notes = [f"{sign}. {words}" for words, sign in said.items()]
    return "\n\n".join([*parts, "\n".join(notes)]).strip()


def _file_name(number: int) -> str:
    return f"model_{number}" if number < 3 else f"model_{number}.tflite"


def _paths(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    return {
        form: folder / _file_name(number) for number, form in enumerate(FORMATS)
    }


def _run(
    python: pathlib.Path, loader: str, path: pathlib.Path, form: str
) -> dict[str, Any]:
    """Runs one file in a process; returns its outcome and what it says."""
    folder = path.parent
    own = {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONPATH"
    }
    done = subprocess.run(
        [
            python,
            _PROBE,
            loader,
            path,
            folder / "inputs.npy",
            folder / "expected.npy",
        ],
        cwd=folder,
        env={**own, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return {"outcome": "crashes", "error": f"exit {done.returncode}"}

    found = json.loads(done.stdout.splitlines()[-1])
    if "error" in found:
        return {"outcome": "refuses", **found}
    if found["difference"] is None:
        return {"outcome": "converts"}
    runs = found["difference"] <= FORMATS[form].limit
    return {"outcome": "runs" if runs else "computes otherwise", **found}


def _versions(python: pathlib.Path) -> dict[str, str]:
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format=json"],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return {
        one["name"]: one["version"]
        for one in json.loads(listed.stdout)
        if one["name"].lower().replace("_", "-") in _SHOWN
    }


def _titled(name: str, versions: dict[str, str]) -> str:
    """Returns a runtime's name with the versions that ran."""
    listed = ", ".join(f"{key} {value}" for key, value in versions.items())
    return f"{name} ({listed})"


def _cell(result: dict[str, Any], said: dict[str, str]) -> str:
    """Writes an outcome, with the number of what the runtime says."""
    outcome = result["outcome"]
    if outcome in ("runs", "converts"):
        return outcome
    words = result.get("error", "").strip()
    words = words or f"off by {result['difference']:.2g}"
    number = said.setdefault(words, str(len(said) + 1))
    return f"{outcome} ({number})"


def main(arguments: list[str]) -> None:
    del arguments
    from tools import marked

    groups: dict[tuple[str, ...], list[str]] = {}
    for name in flags.FLAGS.runtime:
        groups.setdefault(RUNTIMES[name].requirements, []).append(name)

    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        export_all(folder)
        for names in groups.values():
            tried = try_runtimes(names, flags.FLAGS.python, folder)
            for name, results in tried:
                print(name, json.dumps(results, indent=1), flush=True)
                _record(name, results)
    marked.replace(PAGE, MARK, render(_recorded()))


def _recorded() -> dict[str, Any]:
    return json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}


def _record(name: str, results: dict[str, Any]) -> None:
    """Replaces the results of one runtime in the file."""
    record = _recorded()
    record[name] = results
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=1, sort_keys=True)
    RECORD.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    define_flags()
    app.run(main)
