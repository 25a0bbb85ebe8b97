"""Checks for packages that only some programs need."""

import importlib.util

_REPORT = ("jinja2", "matplotlib")


def has_tensorboard() -> bool:
    """Returns whether TensorBoard, needed for summaries, is installed."""
    return _is_installed("tensorboard")


def check_tensorboard() -> None:
    """Raises an ImportError if summaries cannot be written."""
    _check("--tensorboard needs", "tensorboard", extra="tensorboard")


def check_matplotlib() -> None:
    """Raises an ImportError if pictures cannot be drawn."""
    _check("The pictures need", "matplotlib")


def has_report() -> bool:
    """Returns whether the packages that reports need are installed."""
    return all(map(_is_installed, _REPORT))


def check_report() -> None:
    """Raises an ImportError if reports cannot be made."""
    _check("The report of a run needs", *_REPORT)


def _check(who: str, *packages: str, extra: str = "plots") -> None:
    missing = [name for name in packages if not _is_installed(name)]
    if missing:
        raise ImportError(
            f"{who} {' and '.join(missing)}. "
            f"Install it with `pip install 'tf_rigl[{extra}]'`."
        )


def _is_installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None
