"""Packages that only some programs need."""

import importlib.util


def check_matplotlib() -> None:
    """Raises an ImportError that says how to get what pictures need."""
    if importlib.util.find_spec("matplotlib") is None:
        raise ImportError(
            "The pictures need matplotlib. "
            "Install it with `pip install 'tf_rigl[plots]'`."
        )
