"""The results of compressions: a record of each network, and means."""

import csv
import io
import pathlib
import statistics
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from tf_rigl.experiments.compress import trainings
from tf_rigl.experiments.compress.files import CompressionFolder
from tf_rigl.experiments.compress.settings import EARLY_BIRD
from tf_rigl.experiments.compress.settings import WAYS
from tf_rigl.experiments.compress.settings import Asked
from tf_rigl.experiments.compress.settings import Target
from tf_rigl.experiments.runs.settings import RunSettings
from tf_rigl.experiments.sweeps.records import Spread
from tf_rigl.experiments.sweeps.records import spread

KINDS = (trainings.LARGE, trainings.PRUNED, *WAYS)


class Trained(NamedTuple):
    """The result of one training, or of a cut before any training."""

    seed: int
    learning_rate: float  # of the large network
    target: str  # of the cut, as in "0.5"; "" for the large network
    kind: str  # one of `KINDS`
    parameters: int
    flops: int  # of inference on one example
    parameters_left: float  # as a fraction of the large network's
    flops_left: float  # likewise
    search: int  # epochs of the large network before the cut
    epochs: int  # after it, or of the large network itself
    cost: float  # FLOPs of both, as a multiple of the large network's training
    measure: str  # the name of the value, as in "accuracy"
    value: float  # on the evaluation data


class SummaryRow(NamedTuple):
    """Means of one kind of training of one target, over the seeds."""

    learning_rate: float
    target: str
    kind: str
    parameters_left: float
    flops_left: float
    search: float
    epochs: float
    cost: float
    measure: str
    value: Spread


def read(
    folder: pathlib.Path, asked: Asked, settings: RunSettings
) -> list[Trained]:
    """Reads what a compression has trained so far, in its order.

    Args:
        folder: the folder of the compression, which need not exist.
        asked: what it does.
        settings: those of its large network.
    """
    files = CompressionFolder(folder)
    found: list[Trained] = []
    for target in (None, *asked.targets):
        found += _of_target(files, asked, settings, target)
    return found


def to_csv(found: Iterable[Trained]) -> str:
    """Returns a table of comma-separated values, a row for each network."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Trained._fields)
    writer.writerows(found)
    return text.getvalue()


def summarize(found: Iterable[Trained]) -> list[SummaryRow]:
    """Summarizes by learning rate, target and kind, in the order of targets."""
    groups: dict[tuple[float, str, str], list[Trained]] = {}
    targets: dict[str, None] = {}
    for one in found:
        case = one.learning_rate, one.target, one.kind
        groups.setdefault(case, []).append(one)
        targets[one.target] = None

    places = list(targets)
    order = sorted(
        groups,
        key=lambda case: (
            case[0],
            places.index(case[1]),
            KINDS.index(case[2]),
        ),
    )
    return [_row(*case, groups[case]) for case in order]


def kinds(rows: Iterable[SummaryRow]) -> list[str]:
    """Lists the kinds of the rows, the large network first."""
    found = {row.kind for row in rows}
    return [kind for kind in KINDS if kind in found]


def _of_target(
    files: CompressionFolder,
    asked: Asked,
    settings: RunSettings,
    target: Target | None,
) -> list[Trained]:
    """Reads what there is of a target, None for the large network."""
    found: list[Trained] = []
    cut = None if target is None else files.read_costs(target)
    if cut is not None:
        cuts = cut["after"], cut["before"]
        found.append(_trained(settings, target, trainings.PRUNED, cut, cuts, 0))

    for training in trainings.trainings(asked):
        run = files.training(training)
        if training.target != target or not run.results.exists():
            continue
        record = run.read_results()
        costs = record["profile"]
        cuts = costs, costs if cut is None else cut["before"]
        epochs = record["epochs"]
        found.append(
            _trained(settings, target, training.kind, record, cuts, epochs)
        )
    return found


def _trained(
    settings: RunSettings,
    target: Target | None,
    kind: str,
    record: Mapping[str, Any],
    costs: tuple[Mapping[str, int], Mapping[str, int]],
    epochs: int,
) -> Trained:
    """Makes a record of costs after and before the cut."""
    after, before = costs
    headline = record["headline"]
    left = after["flops"] / before["flops"]
    total = settings.total_epochs
    search = 0 if target is None else total
    if kind == EARLY_BIRD:
        search = total - epochs
    return Trained(
        settings.seed,
        settings.learning_rate,
        "" if target is None else target.name,
        kind,
        after["parameters"],
        after["flops"],
        after["parameters"] / before["parameters"],
        left,
        search,
        epochs,
        (search + epochs * left) / total,
        headline,
        record["measures"][headline],
    )


def _row(
    learning_rate: float, target: str, kind: str, group: Sequence[Trained]
) -> SummaryRow:
    return SummaryRow(
        learning_rate,
        target,
        kind,
        statistics.fmean(one.parameters_left for one in group),
        statistics.fmean(one.flops_left for one in group),
        statistics.fmean(one.search for one in group),
        statistics.fmean(one.epochs for one in group),
        statistics.fmean(one.cost for one in group),
        group[0].measure,
        spread([one.value for one in group]),
    )
