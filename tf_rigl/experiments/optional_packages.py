"""Packages that only some programs need, and how to get them."""

import importlib.util


def has_tensorboard() -> bool:
    """Returns whether TensorFlow can write summaries, for which it needs it."""
    return _is_installed("tensorboard")


def check_tensorboard() -> None:
    """Raises an ImportError that says how to get what summaries need."""
    _check("--tensorboard needs", "tensorboard", extra="tensorboard")


def check_matplotlib() -> None:
    """Raises an ImportError that says how to get what pictures need."""
    _check("The pictures need", "matplotlib")


def check_report() -> None:
    """Raises an ImportError that says how to get what reports need."""
    _check("The report of a run needs", "jinja2", "matplotlib")


def _check(who: str, *packages: str, extra: str = "plots") -> None:
    missing = [name for name in packages if not _is_installed(name)]
    if missing:
        raise ImportError(
            f"{who} {' and '.join(missing)}. "
            f"Install it with `pip install 'tf_rigl[{extra}]'`."
        )


def _is_installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None
