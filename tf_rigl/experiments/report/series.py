"""Series of numbers over the epochs of a run, for charts."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import numpy as np

from tf_rigl.experiments.formatting import is_accuracy
from tf_rigl.experiments.report.reading import RunRecord
from tf_rigl.experiments.report.reading import plan_of
from tf_rigl.experiments.runs import optimization

EVALUATION = "val_"
_LEARNING_RATE_POINTS = 200
# Numbers of `MaskDiagnostics`, by their labels on the page.
_SINCE_THE_START = {
    "positions ever active": "exploration",
    "connections still there": "overlap_start",
}
_UNCONNECTED = {"units": "dead_units", "inputs": "unused_inputs"}


class Line(NamedTuple):
    """One line of a panel."""

    label: str
    x: np.ndarray  # float [points], the number of epochs passed
    y: np.ndarray  # float [points]


class Panel(NamedTuple):
    """The content of a small chart."""

    title: str
    lines: list[Line]
    percent: bool = False  # whether values are shown as percentages
    from_zero: bool = False  # whether the vertical axis begins at 0
    whole: bool = False  # whether values are integers


class LayerSeries(NamedTuple):
    """A number of each masked weight after each epoch."""

    paths: list[str]
    epochs: np.ndarray  # int [epochs], counted from 1
    values: np.ndarray  # float [weights, epochs]; NaN if not known


def training_panels(record: RunRecord) -> list[Panel]:
    """Makes panels of the metrics in Keras's logs and of the learning rate.

    A metric that equals the loss up to rounding has no panel.
    """
    epochs = record.epochs
    names = {name for line in epochs for name in line}
    shown = {name for name in names if EVALUATION + name in names}
    shown |= {"loss", "accuracy"} & names

    panels = []
    for name in sorted(shown, key=lambda name: (name != "loss", name)):
        if name != "loss" and _is_loss(epochs, name):
            continue
        both = {"training": name, "evaluation": EVALUATION + name}
        title = name.replace("_", " ")
        panels.append(Panel(title, lines(epochs, both), is_accuracy(name)))
    panels += _learning_rate(record)
    return [panel for panel in panels if panel.lines]


def mask_panels(record: RunRecord) -> list[Panel]:
    """Makes panels of statistics over all masks."""
    totals = [
        {"epoch": line["epoch"], **line["total"]} for line in record.masks
    ]

    panels = [
        Panel("density", lines(totals, {"": "density"}), True, True),
        Panel("churn", lines(totals, {"": "churn"}), True, True),
        Panel("since the start", lines(totals, _SINCE_THE_START), True, True),
        Panel(
            "without any connection",
            lines(totals, _UNCONNECTED),
            from_zero=True,
            whole=True,
        ),
    ]
    return [panel for panel in panels if panel.lines]


def layer_series(record: RunRecord, name: str) -> LayerSeries:
    """Reads a number of `MaskDiagnostics`, such as "density", by layer."""
    paths = record.weights
    values = [
        [_number(line["weights"].get(path, {}).get(name)) for path in paths]
        for line in record.masks
    ]
    epochs = [line["epoch"] + 1 for line in record.masks]
    return LayerSeries(
        paths, np.array(epochs, np.int64), np.array(values, np.float64).T
    )


def _is_loss(lines: Sequence[Mapping[str, Any]], name: str) -> bool:
    values = [_number(line.get(name)) for line in lines]
    losses = [_number(line.get("loss")) for line in lines]
    return np.allclose(values, losses, rtol=1e-5, equal_nan=True)


def _learning_rate(record: RunRecord) -> list[Panel]:
    """Makes the panel of the learning rate of the whole run."""
    plan = plan_of(record)
    if plan is None:
        return []

    schedule = optimization.make_schedule(record.settings, plan)
    points = min(plan.total, _LEARNING_RATE_POINTS)
    # The step before a drop is a point as well, so that the line is vertical.
    falls = np.array(plan.decay_steps, np.int64)
    steps = np.unique(
        np.concatenate(
            [np.linspace(0, plan.total - 1, points).round(), falls, falls - 1]
        )
    )
    steps = steps[(steps >= 0) & (steps < plan.total)]
    rates = [
        float(optimization.learning_rate(schedule, step)) for step in steps
    ]
    line = Line("", steps / plan.per_epoch, np.array(rates))
    return [Panel("learning rate, by the schedule", [line])]


def lines(
    of: Sequence[Mapping[str, Any]], names: Mapping[str, str]
) -> list[Line]:
    """Makes a line for each label and name, of the values that are known."""
    made = []
    for label, name in names.items():
        known = [
            (line["epoch"] + 1, line[name])
            for line in of
            if line.get(name) is not None
        ]
        if known:
            x, y = np.array(known, np.float64).T
            made.append(Line(label, x, y))
    return made


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
