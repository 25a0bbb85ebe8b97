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
import sys
from collections.abc import Mapping

from absl import app
from absl import flags
from rich import console as consoles
from rich import table as tables

from tf_rigl.data import registry as data_sets
from tf_rigl.experiments import terminal
from tf_rigl.experiments.formatting import write_measure
from tf_rigl.experiments.runs import evaluation
from tf_rigl.experiments.runs import tasks
from tf_rigl.experiments.runs.settings import Settings

_FAILURE = 1
# Of a run, where they are not given.
_OF_SETTINGS = (
    "data",
    "data_dir",
    "download",
    "batch_size",
    "image_size",
    "sequence_length",
    "vocabulary_size",
)

flags.DEFINE_enum("data", None, list(data_sets.SOURCES), "Data set.")
flags.DEFINE_string("data_dir", None, "Folder of prepared TFDS data, or text.")
flags.DEFINE_bool("download", None, "Let TFDS download missing data.")
flags.DEFINE_integer("batch_size", None, "Examples in a batch.", 1)
flags.DEFINE_integer("image_size", None, "Size of ImageNet's images.", 1)
flags.DEFINE_integer("sequence_length", None, "Characters in a window.", 1)
flags.DEFINE_integer("vocabulary_size", None, "Characters told apart.", 2)
flags.DEFINE_enum(
    "text_part", "valid", evaluation.TEXT_PARTS, "Part of a text."
)
flags.DEFINE_integer("steps", 0, "Batches to evaluate on; 0 for all.", 0)
flags.DEFINE_bool("json", False, "Print JSON in place of a table.")


def main(arguments: list[str]) -> int:
    """Evaluates.

    Args:
        arguments: The program's name and what to evaluate.

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
    except (ValueError, ImportError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return _FAILURE
    if flags.FLAGS.json:
        content = {"examples": evaluated.examples, **evaluated.measures}
        print(json.dumps(content))
    else:
        print(f"{path} on {evaluated.examples:,} examples of {settings.data}")
        consoles.Console().print(_table(evaluated.measures))
    return 0


def _settings(path: str) -> Settings:
    """Those of the run, if it is one, with what the flags change."""
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
    return dataclasses.replace(settings or Settings(), **given)


def _table(measures: Mapping[str, float]) -> tables.Table:
    table = tables.Table(show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in measures.items():
        table.add_row(name.replace("_", " "), write_measure(name, value))
    return table


if __name__ == "__main__":
    app.run(main)
