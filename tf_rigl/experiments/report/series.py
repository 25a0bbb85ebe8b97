"""Series of numbers over the epochs and updates of a run, for charts."""

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
    x: np.ndarray  # float [points], by default the number of epochs passed
    y: np.ndarray  # float [points]


class Panel(NamedTuple):
    """The content of a small chart."""

    title: str
    lines: list[Line]
    percent: bool = False  # whether values are shown as percentages
    from_zero: bool = False  # whether the vertical axis begins at 0
    whole: bool = False  # whether values are integers
    axis: str = "epochs"  # the name of the horizontal axis


class LayerSeries(NamedTuple):
    """A number of each masked weight over epochs or mask updates."""

    paths: list[str]
    # int [columns], rising from 1 on: the number of the last epoch, or of the
    # last update, of each column.
    ends: np.ndarray
    values: np.ndarray  # float [weights, columns]; NaN if not known
    axis: str = "epoch"  # the name of the horizontal axis


def training_panels(
    record: RunRecord, dense: RunRecord | None = None
) -> list[Panel]:
    """Makes panels of the metrics in Keras's logs and of the learning rate.

    The lines of a `dense` run to compare with follow those of the run. A
    metric that equals the loss up to rounding has no panel.
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
        found = lines(epochs, both)
        if dense is not None:
            beside = {f"dense, {label}": of for label, of in both.items()}
            found += lines(dense.epochs, beside)
        title = name.replace("_", " ")
        panels.append(Panel(title, found, is_accuracy(name)))
    panels += _learning_rate(record)
    return [panel for panel in panels if panel.lines]


def mask_panels(record: RunRecord) -> list[Panel]:
    """Makes panels of statistics over all masks."""
    totals = [
        {"epoch": line["epoch"], **line["total"]} for line in record.masks
    ]

    panels = [
        Panel("density", lines(totals, {"": "density"}), True, True),
        Panel("churn", _churn(record), True, True, axis="mask updates"),
        Panel("since the start", lines(totals, _SINCE_THE_START), True, True),
        Panel(
            "without any connection",
            lines(totals, _UNCONNECTED),
            from_zero=True,
            whole=True,
        ),
    ]
    return [panel for panel in panels if panel.lines]


def layer_densities(record: RunRecord) -> LayerSeries:
    """Reads the density of each layer after each epoch."""
    paths = record.weights
    values = [
        [
            _number(line["weights"].get(path, {}).get("density"))
            for path in paths
        ]
        for line in record.masks
    ]
    epochs = [line["epoch"] + 1 for line in record.masks]
    return LayerSeries(
        paths, np.array(epochs, np.int64), np.array(values, np.float64).T
    )


def layer_churn(record: RunRecord) -> LayerSeries | None:
    """Computes the churn of each layer by mask updates.

    The churn is the share of connections that an update has grown in place of
    others; the mean over several where the files have no line of each.

    Returns:
        The series; None if there was no mask update.
    """
    paths = record.weights
    spans = _update_spans(record)
    if not spans:
        return None
    values = [
        [
            _moved_share(
                span.before.get("weights", {}).get(path, {}),
                span.after["weights"].get(path, {}),
                span.updates,
            )
            for path in paths
        ]
        for span in spans
    ]
    return LayerSeries(
        paths,
        np.array([span.end for span in spans], np.int64),
        np.array(values, np.float64).T,
        "mask update",
    )


def _is_loss(lines: Sequence[Mapping[str, Any]], name: str) -> bool:
    values = [_number(line.get(name)) for line in lines]
    losses = [_number(line.get("loss")) for line in lines]
    return np.allclose(values, losses, rtol=1e-5, equal_nan=True)


def _learning_rate(record: RunRecord) -> list[Panel]:
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


class _UpdateSpan(NamedTuple):
    """The mask updates between two lines of the files of a run."""

    before: Mapping[str, Any]  # the line before them, {} if there is none
    after: Mapping[str, Any]
    end: int  # the number of the last update, counted from 1
    updates: int


def _update_spans(record: RunRecord) -> list[_UpdateSpan]:
    """Lists the mask updates or, where only that is known, their epochs."""
    spans = []
    before: Mapping[str, Any] = {}
    done = 0
    for line in record.updates or record.masks:
        end = line["total"].get("updates") or 0
        if end > done:
            spans.append(_UpdateSpan(before, line, end, end - done))
        before, done = line, max(end, done)
    return spans


def _moved_share(
    before: Mapping[str, Any], after: Mapping[str, Any], updates: int
) -> float:
    """Returns the mean churn of the updates between two rows of a mask."""
    if after.get("moved") is None:
        return float("nan")
    moved = after["moved"] - before.get("moved", 0)
    return float(moved / max(after["connections"], 1) / updates)


def _churn(record: RunRecord) -> list[Line]:
    spans = _update_spans(record)
    if not spans:
        return []
    # Several updates are drawn in their middle.
    x = [span.end - (span.updates - 1) / 2 for span in spans]
    y = [
        _moved_share(
            span.before.get("total", {}), span.after["total"], span.updates
        )
        for span in spans
    ]
    return [Line("", np.array(x), np.array(y))]


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
