"""The two Keras flavors by their names on the command line."""

import importlib
from types import ModuleType

MODULES = {"keras3": "keras", "keras2": "tf_keras"}
_INSTALL = {"keras3": "tf_rigl", "keras2": "tf_rigl[keras2]"}


def load_keras(flavor: str) -> ModuleType:
    """Imports `keras` for `"keras3"` or `tf_keras` for `"keras2"`.

    Raises:
        ValueError: if the flavor is unknown, or if the installed Keras has
            another version or backend.
        ImportError: if the package is not installed.
    """
    if flavor not in MODULES:
        raise ValueError(
            f"`keras` must be one of {', '.join(MODULES)}. "
            f"Received: keras={flavor!r}."
        )

    package = MODULES[flavor]
    try:
        keras = importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"`keras={flavor}` needs the package `{package}`. "
            f"Install it with `pip install '{_INSTALL[flavor]}'`."
        ) from error

    expected = flavor.removeprefix("keras")
    if keras.__version__.split(".")[0] != expected:
        raise ValueError(
            f"`keras={flavor}` needs version {expected} of "
            f"`{keras.__name__}`. Received: {keras.__version__}. "
            f"Install it with `pip install '{keras.__name__}>={expected}'`."
        )
    if flavor == "keras3" and keras.backend.backend() != "tensorflow":
        raise ValueError(
            "Keras 3 must run on its TensorFlow backend. Received: "
            f"backend={keras.backend.backend()!r}. "
            "Set KERAS_BACKEND=tensorflow."
        )
    return keras
