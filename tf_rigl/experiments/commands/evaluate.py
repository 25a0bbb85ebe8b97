"""Evaluates a trained or exported network on a data set.

Takes the folder of a run (its model, or its newest checkpoint while it is
training), a .keras file, the folder of a SavedModel, or a .tflite file. A run
knows its data set; for the others, pass --data.

Examples:
    tf-rigl evaluate runs/cifar10
    tf-rigl evaluate runs/rnn --text_part=test
    tf-rigl evaluate model.tflite --data=cifar10 --steps=20
"""

import dataclasses
import json
import os

from absl import flags

from tf_rigl.experiments import fields
from tf_rigl.experiments import terminal
from tf_rigl.experiments.runs.settings import RunSettings

flags.disclaim_key_flags()

# Flags whose defaults are the settings of the run.
_RUN_FLAGS = (
    "data",
    "data_dir",
    "download",
    "batch_size",
    "image_size",
    "sequence_length",
    "vocabulary_size",
)
_TEXT_PARTS = ("valid", "test")


def main() -> None:
    """Parses the command line and evaluates."""
    fields.define_flags(
        RunSettings, defaults=dict.fromkeys(_RUN_FLAGS), names=_RUN_FLAGS
    )
    flags.DEFINE_enum(
        "text_part", "valid", _TEXT_PARTS, "Part of the text to evaluate on."
    )
    flags.DEFINE_integer("steps", 0, "Batches to evaluate on; 0 for all.", 0)
    flags.DEFINE_bool("json", False, "Print JSON in place of a table.")
    terminal.start(evaluate, 1, "Name what to evaluate.", description=__doc__)


def evaluate(path: str) -> int:
    """Evaluates the model at a path and prints its measures."""
    from rich import console as consoles

    from tf_rigl.core import text_table
    from tf_rigl.data.batching import Batching
    from tf_rigl.experiments import keras_modules
    from tf_rigl.experiments.formatting import write_measure
    from tf_rigl.experiments.runs import evaluation
    from tf_rigl.experiments.runs import tasks

    settings = _settings(path)
    is_text = settings.data == "text"
    part = {"evaluation": flags.FLAGS.text_part} if is_text else {}
    batching = Batching(settings.batch_size)
    splits = tasks.load_splits(settings, batching, **part)
    examples, measures = evaluation.evaluate(
        keras_modules.load_keras(settings.keras),
        evaluation.load_predict(path),
        splits.evaluation.take(flags.FLAGS.steps or -1),
        tasks.make_task(settings, splits.info),
    )

    if flags.FLAGS.json:
        print(json.dumps({"examples": examples, **measures}))
    else:
        print(f"{path} on {examples:,} examples of {settings.data}")
        rows = [
            (name.replace("_", " "), write_measure(name, value))
            for name, value in measures.items()
        ]
        consoles.Console().print(text_table.TextTable(("", ""), rows))
    return 0


def _settings(path: str) -> RunSettings:
    """Returns the settings of the run, if `path` is one, with flags applied."""
    from tf_rigl.experiments.runs.run_folder import RunFolder

    if not os.path.exists(path):
        raise ValueError(
            "What to evaluate must be the folder of a run or of a SavedModel, "
            f"or a .keras or .tflite file. Received: {path!r}, which does not "
            "exist."
        )
    settings = RunFolder(path).read_settings()
    given = {
        name: flags.FLAGS[name].value
        for name in _RUN_FLAGS
        if flags.FLAGS[name].value is not None
    }
    if settings is None and "data" not in given:
        raise ValueError(
            "`data` must name the data set unless the path is a run's folder. "
            f"Received: {path!r} without --data."
        )
    # Evaluation is on test data, so that nothing need be held out.
    settings = dataclasses.replace(
        settings or RunSettings(), validation_examples=0
    )
    return dataclasses.replace(settings, **given)
