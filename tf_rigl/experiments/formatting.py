"""Formatting of numbers for tables and messages."""

from tf_rigl.core.cells import si_number as si_number


def is_accuracy(name: str) -> bool:
    """Returns whether the measure of a name is an accuracy, in [0, 1]."""
    return name.endswith("accuracy")


def write_measure(name: str, value: float) -> str:
    """Formats a measure, an accuracy as a percentage."""
    return f"{value:.2%}" if is_accuracy(name) else f"{value:.4f}"
