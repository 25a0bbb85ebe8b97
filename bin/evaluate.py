#!/usr/bin/env python3
"""Evaluates a trained or exported network on a data set.

What: the folder of a run (its model, or the newest checkpoint while it is
trained), a .keras file, the folder of a SavedModel or a .tflite file. A run
knows its data set; for the others it is named.

Examples:
    python bin/evaluate.py runs/cifar10
    python bin/evaluate.py runs/rnn --text_part=test
    python bin/evaluate.py model.tflite --data=cifar10 --steps=20
"""

import dataclasses
import json
from collections.abc import Mapping

from absl import app
from absl import flags
from rich import console as consoles
from rich.table import Table

from tf_rigl.core import text_table
from tf_rigl.experiments import fields
from tf_rigl.experiments import terminal
from tf_rigl.experiments.formatting import write_measure
from tf_rigl.experiments.runs import evaluation
from tf_rigl.experiments.runs import tasks
from tf_rigl.experiments.runs.settings import RunSettings

# Those of the run itself are used if they are not given.
_OF_SETTINGS = (
    "data",
    "data_dir",
    "download",
    "batch_size",
    "image_size",
    "sequence_length",
    "vocabulary_size",
)

fields.define_flags(
    RunSettings, defaults=dict.fromkeys(_OF_SETTINGS), names=_OF_SETTINGS
)
flags.DEFINE_enum(
    "text_part", "valid", evaluation.TEXT_PARTS, "Part of a text."
)
flags.DEFINE_integer("steps", 0, "Batches to evaluate on; 0 for all.", 0)
flags.DEFINE_bool("json", False, "Print JSON in place of a table.")


def main(arguments: list[str]) -> int:
    """Evaluates.

    Args:
        arguments: the program's name and what to evaluate.

    Returns:
        The exit code: 0, or 1 where the model or the data cannot be read or
        do not fit each other.
    """
    if len(arguments) != 2:
        raise app.UsageError("Name what to evaluate.")
    terminal.quieten()

    path = arguments[1]
    try:
        settings = _settings(path)
        splits = evaluation.load_data(settings, flags.FLAGS.text_part)
        predict = evaluation.load_predict(path)
        steps = flags.FLAGS.steps or -1
        evaluated = evaluation.evaluate(
            predict,
            splits.evaluation.take(steps),
            tasks.make_task(settings, splits.info),
        )
    except terminal.USER_ERRORS as error:
        return terminal.fail(error)

    if flags.FLAGS.json:
        content = {"examples": evaluated.examples, **evaluated.measures}
        print(json.dumps(content))
    else:
        print(f"{path} on {evaluated.examples:,} examples of {settings.data}")
        consoles.Console().print(_table(evaluated.measures))
    return 0


def _settings(path: str) -> RunSettings:
    """Returns the settings of the run, if it is one, changed by flags."""
    settings = evaluation.stored_settings(path)
    given = {
        name: flags.FLAGS[name].value
        for name in _OF_SETTINGS
        if flags.FLAGS[name].value is not None
    }
    if settings is None and "data" not in given:
        raise ValueError(
            "`data` must name the data set of what is no folder of a run. "
            f"Received: {path!r} without --data."
        )
    return dataclasses.replace(settings or RunSettings(), **given)


def _table(measures: Mapping[str, float]) -> Table:
    rows = [
        (name.replace("_", " "), write_measure(name, value))
        for name, value in measures.items()
    ]
    return text_table.table(("", ""), rows)


if __name__ == "__main__":
    app.run(main)
