r"""Exports a trained model and checks that the file computes the same.

Takes a .keras file and, for other weights than it has, a checkpoint: a folder
of tf_rigl.Checkpoints, a packed SavedModel or a weights file. Writes a packed
SavedModel, a LiteRT file, a plan, which runs sparse on CPUs, or a plain .keras
file. Prints a table of the sizes of all weights and the largest difference of
the outputs.

Examples:
    tf-rigl export model.keras exported
    tf-rigl export model.keras model.tflite --format=litert \
        --quantization=full_int8 --representative_data=images.npy
    tf-rigl export model.keras model.plan --format=plan
"""

from typing import Any

from absl import flags

from tf_rigl.experiments import fields
from tf_rigl.experiments import terminal
from tf_rigl.experiments.export_settings import ExportSettings

flags.disclaim_key_flags()


def main() -> None:
    """Parses the command line and exports."""
    fields.define_flags(ExportSettings)
    flags.DEFINE_string("weights", "", "Checkpoint to take the weights from.")
    flags.DEFINE_string(
        "inputs", "", "Batch to compare on, .npy or .npz; random if unset."
    )
    flags.DEFINE_string(
        "representative_data", "", "Examples for full_int8, .npy or .npz."
    )
    flags.DEFINE_list(
        "imports", [], "Modules that register the layers of the .keras file."
    )
    terminal.start(
        export,
        2,
        "Name the .keras file and what to write.",
        description=__doc__,
    )


def export(source: str, target: str) -> int:
    """Exports a .keras file; returns 0 if the outputs match, else 1."""
    from tf_rigl.experiments import exporting
    from tf_rigl.experiments import model_files

    chosen = flags.FLAGS
    settings = fields.read_flags(ExportSettings)
    inputs = _read(chosen.inputs)
    representative_data = _read(chosen.representative_data)

    model = model_files.load_model(source, chosen.imports)
    if chosen.weights:
        model_files.load_weights(model, chosen.weights)
    exported = exporting.export(
        model, target, settings, inputs, representative_data
    )

    print(exported.table)
    print(
        f"{target} loaded back, {exported.verdict} {source}: "
        f"largest difference {exported.difference.error:.2g}, "
        f"{exported.difference.relative:.2g} of the largest output"
    )
    return 0 if exported.matches else terminal.FAILURE


def _read(path: str) -> Any:
    """Reads the array of a .npy file, or the arrays of a .npz file by name."""
    import numpy as np

    if not path:
        return None
    content = np.load(path)
    is_archive = isinstance(content, np.lib.npyio.NpzFile)
    return dict(content) if is_archive else content
