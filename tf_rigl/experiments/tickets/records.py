"""The results of searches: a record of each training, and means over seeds."""

import csv
import io
import pathlib
import statistics
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from tf_rigl.experiments.runs.settings import RunSettings
from tf_rigl.experiments.sweeps.records import Spread
from tf_rigl.experiments.sweeps.records import spread
from tf_rigl.experiments.tickets import settings
from tf_rigl.tickets import run_names
from tf_rigl.tickets.folder import RunFolder

TICKET = "ticket"  # the kind of levels; controls have theirs
_KINDS = (TICKET, *settings.CONTROLS)
MEASURE = "test_accuracy"
_METRICS = ("val_loss", "val_accuracy", "test_loss", MEASURE)


class Training(NamedTuple):
    """The result of one training: a level or a control."""

    seed: int
    learning_rate: float
    level: int
    kind: str  # TICKET, or a control, as in "reinit_keep_sign"
    draw: int  # the number of the draw; 0 for a level
    left: float  # fraction of the masked weights' elements
    # Metrics by name, and the optimizer `step`. Without a finite validation
    # loss there is no early stop.
    early_stop: Mapping[str, float | None] | None
    end: Mapping[str, float | None]


class SummaryRow(NamedTuple):
    """Statistics of a level or of its controls of a kind, over the seeds.

    The draws of a seed are averaged first. A value that no training has is
    None.
    """

    learning_rate: float
    level: int
    kind: str
    left: float
    trainings: int
    early_stop: Spread | None  # optimizer steps
    there: Spread | None  # test accuracy at the early stop
    end: Spread | None  # test accuracy at the end


def read(
    folder: pathlib.Path, names: Iterable[str], run: RunSettings
) -> list[Training]:
    """Reads what a search has trained so far, in the order of the names.

    Args:
        folder: the folder of the search, which need not exist.
        names: the names of the trainings to read.
        run: the settings that it trains with.
    """
    runs = {name: RunFolder(str(folder / name)) for name in names}
    return [
        _training(name, one.read_record(), run)
        for name, one in runs.items()
        if one.is_done
    ]


def to_csv(trainings: Iterable[Training]) -> str:
    """Returns a table of comma-separated values, a row for each training.

    Cells are empty where a metric is not finite.
    """
    whens = ("early_stop", "end")
    names = [f"{when}_{one}" for when in whens for one in ("step", *_METRICS)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*Training._fields[:6], *names])
    for one in trainings:
        cells: list[Any] = [*one[:6]]
        for found in (one.early_stop, one.end):
            cells += [(found or {}).get(name) for name in ("step", *_METRICS)]
        writer.writerow(cells)
    return text.getvalue()


def summarize(trainings: Iterable[Training]) -> list[SummaryRow]:
    """Summarizes by learning rate, level and kind, in this order."""
    groups: dict[tuple[float, int, str], list[Training]] = {}
    for one in trainings:
        case = one.learning_rate, one.level, one.kind
        groups.setdefault(case, []).append(one)

    order = sorted(groups, key=lambda case: (*case[:2], _KINDS.index(case[2])))
    return [_row(*case, groups[case]) for case in order]


def kinds(rows: Iterable[SummaryRow]) -> list[str]:
    """Lists the kinds of the rows, tickets first."""
    found = {row.kind for row in rows}
    return [kind for kind in _KINDS if kind in found]


def _training(
    name: str, record: Mapping[str, Any], run: RunSettings
) -> Training:
    kind, draw = TICKET, 0
    if run_names.is_control(name):
        control = run_names.read_control(name)
        sign = settings.KEEPS_SIGN if control.keep_sign else ""
        kind, draw = control.how + sign, control.draw
    return Training(
        run.seed,
        run.learning_rate,
        record["level"],
        kind,
        draw,
        record["left"],
        record["early_stop"],
        record["end"],
    )


def _row(
    learning_rate: float, level: int, kind: str, group: Sequence[Training]
) -> SummaryRow:
    return SummaryRow(
        learning_rate,
        level,
        kind,
        statistics.fmean(one.left for one in group),
        len(group),
        _over_seeds((one.seed, one.early_stop, "step") for one in group),
        _over_seeds((one.seed, one.early_stop, MEASURE) for one in group),
        _over_seeds((one.seed, one.end, MEASURE) for one in group),
    )


def _over_seeds(
    found: Iterable[tuple[int, Mapping[str, float | None] | None, str]],
) -> Spread | None:
    """Averages a metric over the draws of each seed; its spread over seeds."""
    by_seed: dict[int, list[float]] = {}
    for seed, metrics, name in found:
        value = (metrics or {}).get(name)
        if value is not None:
            by_seed.setdefault(seed, []).append(value)
    if not by_seed:
        return None
    return spread([statistics.fmean(values) for values in by_seed.values()])
