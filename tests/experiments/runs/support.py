import importlib
import importlib.util
import io
import json

import numpy as np
from absl import flags
from rich import console as consoles

from tf_rigl.experiments import flag_files
from tf_rigl.experiments import keras_modules
from tf_rigl.experiments.runs import flags as run_flags
from tf_rigl.experiments.runs import program
from tf_rigl.experiments.runs.settings import RunSettings

# Three epochs of four steps.
TINY = {
    "model": "lenet_300_100",
    "data": "mnist_small",
    "width": 0.1,
    "epochs": 3,
    "steps_per_epoch": 4,
    "batch_size": 32,
    "evaluation_steps": 2,
    "update_interval": 2,
}
QUIET = ("--notensorboard", "--noexport")


def tiny(**changes):
    return RunSettings(**{**TINY, **changes})


def parse(*arguments, defaults=TINY):
    values = flags.FlagValues()
    run_flags.define(defaults, values=values)
    values(flag_files.expand(["program", *map(str, arguments)]))
    return values


def run_program(*arguments, defaults=TINY, file=None, terminal=False):
    """Runs a training program in this process: its exit code and output."""
    for name in keras_modules.MODULES.values():
        # Names are those of a new process.
        importlib.import_module(name).backend.clear_session()
    file = file or io.StringIO()
    console = consoles.Console(file=file, width=100, force_terminal=terminal)
    code = program.run_flagged(parse(*arguments, defaults=defaults), console)
    return code, file.getvalue()


def train_in(folder, *arguments, **options):
    code, output = run_program(*arguments, f"--output_dir={folder}", **options)
    assert code == 0, output
    return output


def hide_package(monkeypatch, package):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == package else find(name, *rest),
    )


def read_results(folder):
    return json.loads((folder / "results.json").read_text("utf-8"))


class Interrupting(io.StringIO):
    """A log in which a line makes something happen, once."""

    def __init__(self, when, action):
        super().__init__()
        self._when = when
        self._action = action

    def write(self, text):
        written = super().write(text)
        if self._action and self._when in text:
            action, self._action = self._action, None
            action()
        return written


def newest_checkpoint(folder):
    path = max((folder / "checkpoints").glob("step-*.npz"))
    with np.load(path) as content:
        return path.name, {name: content[name] for name in content.files}


def assert_same_checkpoint(folder, other):
    name, arrays = newest_checkpoint(folder)
    other_name, other_arrays = newest_checkpoint(other)
    assert name == other_name
    assert arrays.keys() == other_arrays.keys()
    # Keras 2 names slots after where they were made, which restoring changes.
    del arrays["description"]
    assert len(arrays) > 10
    for key, array in arrays.items():
        np.testing.assert_array_equal(array, other_arrays[key], err_msg=key)
