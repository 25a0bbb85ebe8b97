"""The tiles and tables of the page, as strings."""

import operator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from tf_rigl.experiments.formatting import si_number
from tf_rigl.experiments.formatting import write_measure
from tf_rigl.experiments.report import series
from tf_rigl.experiments.report.reading import ModelState
from tf_rigl.experiments.report.reading import RunRecord
from tf_rigl.experiments.runs import results as run_results
from tf_rigl.experiments.runs.settings import to_json
from tf_rigl.export.folders import folder_bytes

# The name of a row, and the attributes of a profile: sparse and dense.
_TOTALS = (
    ("parameters", "nonzeros", "parameters"),
    ("inference FLOPs", "flops", "dense_flops"),
    ("multiply-accumulates", "macs", "dense_macs"),
    ("packed weights, bytes", "bytes", "dense_bytes"),
)
# The attributes of a `RunFolder` that are listed with their sizes.
_FILES = (
    "model",
    "saved_model",
    "checkpoints",
    "tensorboard",
    "configuration",
    "metrics",
    "steps",
    "masks",
    "updates",
    "results",
)
# The keys of the results that a comparison needs.
_COMPARED = {"label", "training_flops", "seconds"}
# Settings that are places of one machine.
_PLACES = ("data_dir", "tpu")
_SIZES = operator.attrgetter("parameters", "nonzeros", "dense_flops", "flops")
_LAYER_HEADER = (
    "weight",
    "shape",
    "parameters",
    "connections",
    "density",
    "dense FLOPs",
    "FLOPs",
)
_MASK_HEADER = ("moved", "explored", "dead units", "unused inputs")

Tile = tuple[str, str, str]  # name, value and note


class PageTable(NamedTuple):
    """A table of the page."""

    header: Sequence[str]  # empty for a table without a header
    rows: Sequence[Sequence[str]]
    text_columns: int = 1  # the number of columns before those of numbers
    total: Sequence[str] = ()  # the last row, below a rule; empty for none


def headline_tiles(
    record: RunRecord, state: ModelState | None, dense: RunRecord | None = None
) -> list[Tile]:
    """Returns the most important numbers of a run, beside a `dense` one's."""
    tiles = _measure_tiles(record, dense)
    if record.masks:
        total = record.masks[-1]["total"]
        connections, size = total["connections"], total["size"]
        note = f"{connections:,} of {size:,} connections"
        tiles.append(("sparsity", _share(size - connections, size), note))

    totals = _totals(record, state)
    if totals:
        nonzeros = f"{totals['nonzeros']:,}"
        flops = totals["flops"]
        share = f"{_share(flops, totals['dense_flops'])} of dense"
        tiles += [
            ("non-zero weights", nonzeros, f"of {totals['parameters']:,}"),
            ("inference FLOPs", si_number(flops), share),
        ]
    if record.results and "training_flops" in record.results:
        trained = si_number(record.results["training_flops"])
        steps = f"{record.results['steps']:,} steps"
        tiles.append(("training FLOPs", trained, steps))
    if totals:
        size = totals["bytes"]
        share = f"{_share(size, totals['dense_bytes'])} of dense"
        tiles.append(("packed weights", f"{si_number(size)}B", share))

    seconds = sum(line["seconds"] for line in record.epochs)
    tiles.append(("training time", _duration(seconds), "all processes"))
    return tiles


def comparison_table(
    record: RunRecord, dense: RunRecord | None
) -> PageTable | None:
    """Sets the results of a run beside those of a dense one.

    Returns:
        The table; None unless both runs have finished.
    """
    if dense is None or dense.results is None or record.results is None:
        return None
    pair = [dense.results, record.results]
    # Runs of earlier versions have written fewer.
    known = all(one.keys() >= _COMPARED for one in pair)
    if not known or pair[0]["measures"].keys() != pair[1]["measures"].keys():
        return None
    header = ["", *(one["label"] for one in pair), "compared"]
    return PageTable(header, list(run_results.rows(pair)))


def size_table(record: RunRecord, state: ModelState | None) -> PageTable | None:
    """Compares the network with its dense version; None if not known."""
    totals = _totals(record, state)
    rows = [
        (
            name,
            f"{totals[dense]:,}",
            f"{totals[sparse]:,}",
            _share(totals[sparse], totals[dense]),
        )
        for name, sparse, dense in _TOTALS
        if sparse in totals and dense in totals
    ]
    header = ("", "dense", "this network", "share")
    return PageTable(header, rows) if rows else None


def file_table(record: RunRecord) -> PageTable:
    """Lists the files in the folder of the run and their sizes in bytes."""
    sizes = {}
    for name in _FILES:
        path = getattr(record.folder, name)
        if path.is_dir():
            sizes[f"{path.name}/"] = folder_bytes(path)
        elif path.exists():
            sizes[path.name] = path.stat().st_size
    return PageTable(
        ("file", "bytes"),
        [(name, f"{size:,}") for name, size in sizes.items()],
        total=("together", f"{sum(sizes.values()):,}"),
    )


def layer_table(
    record: RunRecord, state: ModelState | None
) -> PageTable | None:
    """Makes a row for each weight that has a mask or multiply-accumulates."""
    last = record.masks[-1]["weights"] if record.masks else {}
    total: list[str] = []
    if state is not None:
        rows = [
            _layer_cells(row.path, "×".join(map(str, row.shape)), *_SIZES(row))
            for row in state.profile.rows
            if row.parameters and (row.masked or row.dense_macs)
        ]
        # The total includes weights without a row.
        name = "all weights, also vectors"
        total = _layer_cells(name, "", *_SIZES(state.profile))
    else:
        rows = [
            _layer_cells(path, "", one["size"], one["connections"])
            for path, one in last.items()
        ]

    header = list(_LAYER_HEADER)
    if last:
        header += _MASK_HEADER
        rows = [
            [*row, *_diagnostic_cells(last.get(row[0], {}))] for row in rows
        ]
        total += [""] * len(_MASK_HEADER) if total else []
    return PageTable(header, rows, 2, total) if rows else None


def settings_rows(record: RunRecord) -> list[tuple[str, str]]:
    """Lists all settings of the run, without places of its machine."""
    return formatted_settings(to_json(record.settings))


def formatted_settings(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Formats settings, plain JSON values, without places of a machine."""
    return [(name, _setting(name, value)) for name, value in settings.items()]


def version_table(record: RunRecord) -> PageTable | None:
    """Lists the package versions; returns None until the run has finished."""
    versions = (record.results or {}).get("versions", {})
    rows = [(name, str(version)) for name, version in versions.items()]
    return PageTable((), rows, 2) if rows else None


def _measure_tiles(
    record: RunRecord, dense: RunRecord | None = None
) -> list[Tile]:
    tiles, found = [], []
    note = "of evaluation data"
    beside = (dense.results or {}).get("measures", {}) if dense else {}
    if results := record.results:
        measures = results["measures"]
        names = sorted(measures, key=lambda name: name != results["headline"])
        found = [
            (
                name,
                measures[name],
                f"dense {write_measure(name, beside[name])}"
                if name in beside
                else note,
            )
            for name in names[:2]
        ]
    else:
        done = f"of {record.settings.total_epochs:,}"
        tiles.append(("epochs", f"{len(record.epochs):,}", done))
        for name in ("accuracy", "cross_entropy"):
            for line in series.lines(
                record.epochs, {name: series.EVALUATION + name}
            ):
                last = f"{note}, epoch {line.x[-1]:,.0f}"
                found.append((name, float(line.y[-1]), last))

    return tiles + [
        (name.replace("_", " "), write_measure(name, value), note)
        for name, value, note in found
    ]


def _totals(record: RunRecord, state: ModelState | None) -> Mapping[str, int]:
    """Returns the totals of the model if there is one, else of the results."""
    if state is not None:
        names = {name for _, *pair in _TOTALS for name in pair}
        return {name: getattr(state.profile, name) for name in names}
    return record.results["profile"] if record.results else {}


def _layer_cells(
    name: str, shape: str, parameters: int, nonzeros: int, *flops: int
) -> list[str]:
    """Formats a row of the layers; `flops` are dense and sparse, if known."""
    return [
        name,
        shape,
        f"{parameters:,}",
        f"{nonzeros:,}",
        _share(nonzeros, parameters),
        *([f"{one:,}" for one in flops] or ["", ""]),
    ]


def _diagnostic_cells(row: Mapping[str, Any]) -> list[str]:
    explored = row.get("exploration")
    return [
        _count(row.get("moved")),
        "" if explored is None else f"{explored:.2%}",
        _count(row.get("dead_units")),
        _count(row.get("unused_inputs")),
    ]


def _setting(name: str, value: Any) -> str:
    """Formats a value as it is given on the command line."""
    if value is None or value in ("", []):
        return "not given"
    if name in _PLACES:
        return "given"
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.2%}" if whole else ""


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
