"""The tiles and the tables of a run."""

from collections.abc import Mapping
from typing import Any

from tf_rigl.accounting import ModelProfile
from tf_rigl.accounting import WeightProfile
from tf_rigl.experiments.formatting import si_number
from tf_rigl.experiments.formatting import write_measure
from tf_rigl.experiments.report import markup
from tf_rigl.experiments.report.markup import Tile
from tf_rigl.experiments.report.model_state import ModelState
from tf_rigl.experiments.report.reading import RunRecord
from tf_rigl.experiments.report.series import EVALUATION
from tf_rigl.experiments.runs.settings import to_json
from tf_rigl.export.folders import folder_bytes

_TOTALS = (
    ("parameters", "nonzeros", "parameters"),
    ("inference FLOPs", "flops", "dense_flops"),
    ("multiply-accumulates", "macs", "dense_macs"),
    ("packed weights, bytes", "bytes", "dense_bytes"),
)
# Attributes of a run's folder.
_FILES = (
    "model",
    "saved_model",
    "checkpoints",
    "tensorboard",
    "configuration",
    "metrics",
    "masks",
    "results",
)
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
# Side by side, of the settings.
_COLUMNS = 3


def headline_tiles(record: RunRecord, state: ModelState | None) -> list[Tile]:
    """The numbers that a run is judged by."""
    totals = _totals(record, state)
    tiles = [*_measure_tiles(record), *_sparsity_tile(record)]
    if totals:
        tiles += [
            Tile(
                "non-zero weights",
                f"{totals['nonzeros']:,}",
                f"of {totals['parameters']:,}",
            ),
            Tile(
                "inference FLOPs",
                si_number(totals["flops"]),
                f"{_share(totals['flops'], totals['dense_flops'])} of dense",
            ),
        ]
    if record.results and "training_flops" in record.results:
        tiles.append(
            Tile(
                "training FLOPs",
                si_number(record.results["training_flops"]),
                f"{record.results['steps']:,} steps",
            )
        )
    if totals:
        share = _share(totals["bytes"], totals["dense_bytes"])
        tiles.append(
            Tile(
                "packed weights",
                f"{si_number(totals['bytes'])}B",
                f"{share} of dense",
            )
        )
    seconds = sum(line["seconds"] for line in record.epochs)
    tiles.append(Tile("training time", _duration(seconds), "all processes"))
    return tiles


def size_table(record: RunRecord, state: ModelState | None) -> str:
    """What the network costs, next to the same network dense."""
    totals = _totals(record, state)
    if not totals:
        return markup.paragraph("Not known before there is a model.")
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
    return markup.table(("", "dense", "this network", "share"), rows)


def file_table(record: RunRecord) -> str:
    """What the run has left in its folder, in bytes."""
    sizes = {}
    for name in _FILES:
        path = getattr(record.folder, name)
        if path.is_dir():
            sizes[f"{path.name}/"] = folder_bytes(path)
        elif path.exists():
            sizes[path.name] = path.stat().st_size
    return markup.table(
        ("file", "bytes"),
        [(name, f"{size:,}") for name, size in sizes.items()],
        total=("together", f"{sum(sizes.values()):,}"),
    )


def layer_table(record: RunRecord, state: ModelState | None) -> str:
    """A row for each weight that has a mask or multiplies."""
    last = record.masks[-1]["weights"] if record.masks else {}
    header = [*_LAYER_HEADER, *(_MASK_HEADER if last else ())]
    if state is not None:
        rows = [
            _profile_cells(row)
            for row in state.profile.rows
            if row.parameters and (row.masked or row.dense_macs)
        ]
        total = _total_cells(state.profile)
    else:
        rows = [_mask_cells(path, one) for path, one in last.items()]
        total = []
    if last:
        rows = [
            [*row, *_diagnostic_cells(last.get(row[0], {}))] for row in rows
        ]
        total += [""] * len(_MASK_HEADER) if total else []
    return markup.table(header, rows, 2, total) if rows else ""


def configuration_table(record: RunRecord) -> str:
    """All settings of the run."""
    rows = [
        (name, _setting(value))
        for name, value in to_json(record.settings).items()
    ]
    length = -(-len(rows) // _COLUMNS)
    parts = [rows[i : i + length] for i in range(0, len(rows), length)]
    return markup.grid("panels", [markup.table((), one, 2) for one in parts])


def version_table(record: RunRecord) -> str:
    """What the run was ended with; nothing while it is trained."""
    versions = (record.results or {}).get("versions", {})
    if not versions:
        return ""
    rows = [(name, str(version)) for name, version in versions.items()]
    return markup.table((), rows, 2)


def _measure_tiles(record: RunRecord) -> list[Tile]:
    if record.results:
        headline = record.results["headline"]
        measures = record.results["measures"]
        names = sorted(measures, key=lambda name: name != headline)[:2]
        return [
            Tile(
                name.replace("_", " "),
                write_measure(name, measures[name]),
                "of evaluation data",
            )
            for name in names
        ]
    done = f"of {record.settings.total_epochs:,}"
    tiles = [Tile("epochs", f"{len(record.epochs):,}", done)]
    for name in ("accuracy", "cross_entropy"):
        values = [
            (line["epoch"] + 1, line[EVALUATION + name])
            for line in record.epochs
            if line.get(EVALUATION + name) is not None
        ]
        if values:
            epoch, value = values[-1]
            tiles.append(
                Tile(
                    name.replace("_", " "),
                    write_measure(name, value),
                    f"of evaluation data, epoch {epoch:,}",
                )
            )
    return tiles


def _sparsity_tile(record: RunRecord) -> list[Tile]:
    if not record.masks:
        return []
    total = record.masks[-1]["total"]
    connections, size = total["connections"], total["size"]
    return [
        Tile(
            "sparsity",
            _share(size - connections, size),
            f"{connections:,} of {size:,} connections",
        )
    ]


def _totals(record: RunRecord, state: ModelState | None) -> Mapping[str, int]:
    """By the model if it could be read, else as the run has written them."""
    if state is not None:
        names = {name for _, *pair in _TOTALS for name in pair}
        return {name: getattr(state.profile, name) for name in names}
    return record.results["profile"] if record.results else {}


def _profile_cells(row: WeightProfile) -> list[str]:
    return [
        row.path,
        "×".join(map(str, row.shape)),
        f"{row.parameters:,}",
        f"{row.nonzeros:,}",
        _share(row.nonzeros, row.parameters),
        f"{row.dense_flops:,}",
        f"{row.flops:,}",
    ]


def _mask_cells(path: str, row: Mapping[str, Any]) -> list[str]:
    """The same by what `MaskDiagnostics` wrote, without the model."""
    return [
        path,
        "",
        f"{row['size']:,}",
        f"{row['connections']:,}",
        _share(row["connections"], row["size"]),
        "",
        "",
    ]


def _diagnostic_cells(row: Mapping[str, Any]) -> list[str]:
    explored = row.get("exploration")
    return [
        _count(row.get("moved")),
        "" if explored is None else f"{explored:.2%}",
        _count(row.get("dead_units")),
        _count(row.get("unused_inputs")),
    ]


def _total_cells(profile: ModelProfile) -> list[str]:
    """Of all weights, also those that have no row."""
    return [
        "all weights, also vectors",
        "",
        f"{profile.parameters:,}",
        f"{profile.nonzeros:,}",
        _share(profile.nonzeros, profile.parameters),
        f"{profile.dense_flops:,}",
        f"{profile.flops:,}",
    ]


def _setting(value: Any) -> str:
    """A value as it is given on the command line."""
    if value is None or value in ("", []):
        return "not given"
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
