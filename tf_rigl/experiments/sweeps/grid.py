"""The runs of a sweep: methods × sparsities × seeds."""

import dataclasses
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from tf_rigl.experiments import fields
from tf_rigl.experiments import methods as known_methods
from tf_rigl.experiments.runs.settings import RunSettings

# A method and a sparsity.
Case = tuple[str, float]


class Point(NamedTuple):
    """One run of a sweep."""

    name: str  # of its folder, as in "rigl_0.95_s2"
    settings: RunSettings

    @property
    def case(self) -> Case:
        """The method and sparsity, which differ in their seeds only."""
        return self.settings.method, self.settings.sparsity


@fields.documented
@dataclasses.dataclass(frozen=True)
class Grid:
    """Methods, sparsities and seeds of a sweep.

    Methods without a sparsity, such as dense, are trained once for each seed.

    Raises:
        ValueError: if one of them is empty, unknown, out of range or twice
            there.
    """

    methods: tuple[str, ...] = fields.field(
        ("dense", "static", "set", "rigl", "pruning"),
        "How to train: one run of each, by --sparsities and --seeds.",
    )
    sparsities: tuple[float, ...] = fields.field(
        (0.8, 0.9, 0.95),
        "Fractions of the masked weights without a connection.",
    )
    seeds: int = fields.field(
        3, "How many runs of each: seeds 0, 1, ...", fields.AT_LEAST_ONE
    )

    def __post_init__(self) -> None:
        fields.check(self)
        _check_list("methods", "method", self.methods)
        if any(map(has_sparsity, self.methods)) or self.sparsities:
            _check_list("sparsities", "sparsity", self.sparsities)


def has_sparsity(method: str) -> bool:
    """Returns whether a sparsity means something to a method."""
    chosen = known_methods.METHODS[method]
    return chosen.is_sparse or chosen.small


def points(grid: Grid, base: RunSettings) -> list[Point]:
    """Lists the runs, all those of the first seed first."""
    return [
        _point(dataclasses.replace(base, method=method, seed=seed), sparsity)
        for seed in range(grid.seeds)
        for method in grid.methods
        for sparsity in (grid.sparsities if has_sparsity(method) else (None,))
    ]


def _point(settings: RunSettings, sparsity: float | None) -> Point:
    # Where it has no meaning it is a fixed one: it is among the settings.
    changed = dataclasses.replace(settings, sparsity=sparsity or 0.0)
    case = [settings.method, *([] if sparsity is None else [sparsity])]
    return Point("_".join(map(str, [*case, f"s{settings.seed}"])), changed)


def _check_list(name: str, field: str, items: Sequence[Any]) -> None:
    received = f"Received: {name}={','.join(map(str, items))!r}."
    if not items:
        raise ValueError(f"`{name}` must name at least one. {received}")
    rule = fields.rules(RunSettings)[field]
    wrong = [item for item in items if not rule.holds(item)]
    if wrong:
        raise ValueError(
            f"Each of `{name}` must be {rule.text}. {received} Change "
            f"{', '.join(map(repr, wrong))}."
        )
    if len(set(items)) < len(items):
        raise ValueError(f"`{name}` must differ from each other. {received}")
