"""Packages that only some programs need."""

import importlib.util


def has_tensorboard() -> bool:
    """Whether TensorFlow can write summaries, which TensorBoard does for it."""
    return importlib.util.find_spec("tensorboard") is not None


def check_tensorboard() -> None:
    """Raises an ImportError that says how to get what summaries need."""
    if not has_tensorboard():
        raise ImportError(
            "Summaries need TensorBoard. Install it with "
            "`pip install 'tf_rigl[tensorboard]'`, or leave --tensorboard out."
        )


def check_matplotlib() -> None:
    """Raises an ImportError that says how to get what pictures need."""
    if importlib.util.find_spec("matplotlib") is None:
        raise ImportError(
            "The pictures need matplotlib. "
            "Install it with `pip install 'tf_rigl[plots]'`."
        )
