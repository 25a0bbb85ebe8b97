#!/usr/bin/env python3
"""Exports a trained model and proves that the file computes the same.

In: a .keras file, and, where its weights are older or newer than wanted, a
checkpoint (a folder of tf_rigl.Checkpoints, a packed SavedModel or a weights
file). Out: a packed SavedModel, a LiteRT file or a plain .keras file; a table
of what each weight takes; the largest difference of the outputs.

Examples:
    python bin/export.py model.keras exported
    python bin/export.py model.keras model.tflite --format=litert \
        --quantization=full_int8 --representative_data=images.npy
"""

import sys
from typing import Any

import numpy as np
from absl import app
from absl import flags

from tf_rigl.core.packing import values as formats
from tf_rigl.experiments import exporting
from tf_rigl.experiments import model_files
from tf_rigl.experiments import terminal
from tf_rigl.export.litert.convert import QUANTIZATIONS
from tf_rigl.export.saved_model.export import COMPRESSIONS

_FAILURE = 1

flags.DEFINE_enum("format", "saved_model", exporting.FORMATS, "What to write.")
flags.DEFINE_string("weights", "", "Checkpoint to take the weights from.")
flags.DEFINE_enum(
    "compression",
    "smallest",
    [name for name in COMPRESSIONS if name],
    "How a SavedModel stores positions.",
)
flags.DEFINE_enum(
    "values", "float32", formats.FORMATS, "How a SavedModel stores values."
)
flags.DEFINE_enum("quantization", "float32", QUANTIZATIONS, "Of a LiteRT file.")
flags.DEFINE_bool("shrink", False, "Cut out units that do nothing before.")
flags.DEFINE_string(
    "inputs", "", "Batch to compare on, .npy or .npz; random if unset."
)
flags.DEFINE_string(
    "representative_data", "", "Examples for full_int8, .npy or .npz."
)
flags.DEFINE_float(
    "tolerance",
    None,
    "Largest difference of an output, as a share of the largest output; by "
    "default 1e-5 (1e-4 with --shrink), any where values are rounded.",
    lower_bound=0,
)
flags.DEFINE_bool("overwrite", False, "Replace what is there.")
flags.DEFINE_list(
    "imports", [], "Modules that register the layers of the .keras file."
)


def main(arguments: list[str]) -> int:
    """Exports.

    Args:
        arguments: The program's name, the .keras file and what to write.

    Returns:
        The exit code: 0, or 1 where the model cannot be read or exported or
        the file's outputs differ from it.
    """
    if len(arguments) != 3:
        raise app.UsageError("Name the .keras file and what to write.")
    terminal.quieten()
    _, source, target = arguments
    try:
        exported = _export(source, target)
    except (ValueError, ImportError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return _FAILURE
    print(exported.table)
    print(
        f"{target} loaded back, {exported.verdict} {source}: "
        f"largest difference {exported.difference.error:.2g}, "
        f"{exported.difference.relative:.2g} of the largest output"
    )
    return 0 if exported.matches else _FAILURE


def _export(source: str, target: str) -> exporting.Exported:
    chosen = flags.FLAGS
    settings = exporting.Settings(
        format=chosen.format,
        compression=chosen.compression,
        values=chosen.values,
        quantization=chosen.quantization,
        shrink=chosen.shrink,
        tolerance=chosen.tolerance,
        overwrite=chosen.overwrite,
    )
    inputs = _read(chosen.inputs)
    representative_data = _read(chosen.representative_data)
    model = model_files.load_model(source, chosen.imports)
    if chosen.weights:
        model_files.load_weights(model, chosen.weights)
    return exporting.export(
        model, target, settings, inputs, representative_data
    )


def _read(path: str) -> Any:
    """The array of a file, or several by their names; None for no file."""
    if not path:
        return None
    content = np.load(path)
    return (
        dict(content) if isinstance(content, np.lib.npyio.NpzFile) else content
    )


if __name__ == "__main__":
    app.run(main)
