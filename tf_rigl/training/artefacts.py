"""Writes a trained model to disk and proves that it can be served.

The model goes to a `.keras` file, from which training can go on, and to a
SavedModel, which needs nothing of this library; that is loaded back and its
outputs are compared with those of the model.
"""

import json
import os
import pathlib
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf

import tf_rigl

TOLERANCE = 1e-5


class ModelFiles(NamedTuple):
    """Where a model was written and what came back."""

    checkpoint: pathlib.Path  # .keras
    saved_model: pathlib.Path  # folder
    checkpoint_bytes: int
    saved_model_bytes: int
    largest_difference: float  # of the logits, SavedModel against model


def write_model(
    model: Any, images: np.ndarray, folder: pathlib.Path
) -> ModelFiles:
    """Saves and exports a model, loads the export back and compares.

    Args:
        model: The trained model, sparse or dense.
        images: uint8 `[examples, 28, 28]`, the inputs of the comparison.
        folder: Where to write; made if missing.

    Returns:
        Paths, sizes and the largest difference of an output.
    """
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / "model.keras"
    saved_model = folder / "saved_model"
    inputs = tf.constant(images, tf.float32) / 255.0
    expected = model(inputs, training=False)
    model.save(checkpoint)
    exported = tf_rigl.export_saved_model(model, saved_model, overwrite=True)
    # Bound to a name: its functions don't keep its variables alive.
    loaded = tf.saved_model.load(str(saved_model))
    served = loaded.serve(inputs)
    return ModelFiles(
        checkpoint=checkpoint,
        saved_model=saved_model,
        checkpoint_bytes=checkpoint.stat().st_size,
        saved_model_bytes=exported.folder_bytes,
        largest_difference=float(tf.reduce_max(tf.abs(served - expected))),
    )


def write_json(path: pathlib.Path, content: Any) -> None:
    """Writes a JSON file, whole or not at all."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_text(path: pathlib.Path, content: str) -> None:
    """Writes a file aside and renames it, so it is whole or not there."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(content, encoding="utf-8")
    os.replace(aside, path)
