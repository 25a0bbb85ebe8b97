"""Programs that do not train, as users start them."""

import json
import re

import keras
import pytest
from matplotlib import image

import tf_rigl
from tests.support import BIN
from tests.support import run_python
from tf_rigl.models import mlp

# Command lines, with some of what they print; later ones read what earlier
# ones have written.
HELP = "train_cifar.py --help"
GOOD = {
    "export.py model.keras exported": "loaded back, matches model.keras",
    "inspect_model.py exported --picture=file.png": "fc1/kernel",
    "profile_model.py --model=lenet_5 --sparsity=0.9 --plot=costs.png": (
        "As published tables count"
    ),
    "inspect_model.py exported --json": '"path": "fc1/kernel"',
    "profile_model.py --model=lenet_5 --json": '"training_share": 1.0',
}
WRONG = {
    "evaluate.py nothing": "What to evaluate must be",
    "export.py nothing.keras out": "A model must be read",
    "benchmark_model.py model.keras nothing": "A model must be a .keras, ",
    "report.py .": "`folder` must be that of a training run",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("programs")


@pytest.fixture(scope="module")
def ended(folder):
    model = tf_rigl.sparsify(mlp.lenet_300_100(keras), 0.98)
    model.save(folder / "model.keras")
    lines = [HELP, *GOOD, *WRONG]
    commands = json.dumps([f"{BIN}/{line}".split() for line in lines])
    printed = run_python("-m", "tests.bin.run_programs", commands, cwd=folder)
    return dict(zip(lines, json.loads(printed), strict=True))


def test_help_lists_the_flags(ended):
    printed, _, _ = ended[HELP]
    assert printed.startswith("Trains WRN-22-2 or another network on CIFAR-10")
    for flag in ("--method:", "--strategy:", "--precision:", "--output_dir:"):
        assert flag in printed
    # What only libraries know is left to --helpfull.
    assert "--test_tmpdir" not in printed


@pytest.mark.parametrize("line", GOOD)
def test_good_ends(ended, line):
    printed, errors, code = ended[line]
    assert GOOD[line] in printed
    assert code == 0, errors
    if "--json" in line:
        assert json.loads(printed)
    else:
        rules = re.findall("^-+$", printed, re.MULTILINE)
        assert rules
        assert max(map(len, rules)) <= 80


@pytest.mark.parametrize("line", WRONG)
def test_errors_are_a_line(ended, line):
    _, errors, code = ended[line]
    assert code == 1
    assert f"Error: {WRONG[line]}" in errors
    assert "Traceback" not in errors


@pytest.mark.usefixtures("ended")
def test_files(folder):
    pictures = {"file.png", "costs.png"}
    found = {path.name for path in folder.iterdir()}
    assert found == {"model.keras", "exported", *pictures}
    for name in pictures:
        assert image.imread(folder / name).std() > 0.01
