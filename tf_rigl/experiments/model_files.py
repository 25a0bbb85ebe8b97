"""Loading of models and weights from files of either Keras."""

import importlib
import json
import os
import zipfile
from collections.abc import Iterable
from typing import Any

import tf_rigl
from tf_rigl.experiments import keras_modules


def load_model(
    path: str | os.PathLike[str], imports: Iterable[str] = ()
) -> Any:
    """Loads a `.keras` file, masks included, with the Keras that wrote it.

    `imports` names modules to import first, which register the classes of
    custom layers.

    Raises:
        ValueError: if it is not a `.keras` file, or the class of a layer is
            not registered.
        ImportError: if a module or that Keras is not installed.
    """
    keras = keras_modules.load_keras(keras_of(path))
    for name in imports:
        importlib.import_module(name)
    try:
        return keras.models.load_model(os.fspath(path))
    except TypeError as error:
        raise ValueError(
            "The classes of all layers must be known. Received: "
            f"path={os.fspath(path)!r}; {_first_line(error)} Decorate them "
            "with `register_keras_serializable` and name their module."
        ) from error


def keras_of(path: str | os.PathLike[str]) -> str:
    """Returns "keras2" or "keras3", the Keras that wrote a `.keras` file.

    Raises:
        ValueError: if it is not a `.keras` file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            metadata = json.loads(archive.read("metadata.json"))
        return f"keras{int(metadata['keras_version'].partition('.')[0])}"
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(
            "A model must be read from a `.keras` file. Received: "
            f"path={os.fspath(path)!r}; {_first_line(error)}"
        ) from error


def load_weights(model: Any, path: str | os.PathLike[str]) -> None:
    """Loads weights and masks into a model, in place.

    `path` is a folder written by `tf_rigl.Checkpoints`, a packed SavedModel,
    or a weights file of Keras.

    Raises:
        ValueError: if it is none of these or belongs to another model.
    """
    path = os.fspath(path)
    if os.path.exists(os.path.join(path, "assets.extra", "weights.json")):
        tf_rigl.load_packed_weights(model, path)
        return
    if os.path.isdir(path):
        if not tf_rigl.Checkpoints(path).restore(model):
            raise ValueError(
                "A folder of checkpoints must hold one. "
                f"Received: path={path!r}."
            )
        return

    try:
        model.load_weights(path)
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(
            "Weights must be those of the model. "
            f"Received: path={path!r}; {_first_line(error)}"
        ) from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
