"""The runs of a sweep: methods × sparsities × seeds."""

import dataclasses
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from tf_rigl.experiments import methods as known_methods
from tf_rigl.experiments.runs.settings import RULES
from tf_rigl.experiments.runs.settings import Settings


class Point(NamedTuple):
    """One run of a sweep."""

    name: str  # of its folder, as in "rigl_0.95_s2"
    settings: Settings

    @property
    def case(self) -> tuple[str, float]:
        """What the run shares with those that differ in their seed."""
        return self.settings.method, self.settings.sparsity


@dataclasses.dataclass(frozen=True)
class Grid:
    """What a sweep varies.

    Attributes:
        methods: Keys of `methods.METHODS`.
        sparsities: Each in [0, 1). Methods that have none, such as dense, are
            trained once for each seed.
        seeds: How many; they are 0, 1, ...

    Raises:
        ValueError: If one of them is empty, unknown, out of range or twice
            there.
    """

    methods: tuple[str, ...]
    sparsities: tuple[float, ...]
    seeds: int

    def __post_init__(self) -> None:
        _check_list("methods", "method", self.methods)
        if any(map(has_sparsity, self.methods)) or self.sparsities:
            _check_list("sparsities", "sparsity", self.sparsities)
        if self.seeds < 1:
            raise ValueError(
                f"`seeds` must be at least 1. Received: seeds={self.seeds}."
            )


def has_sparsity(method: str) -> bool:
    """Whether a sparsity means something to a method."""
    chosen = known_methods.METHODS[method]
    return chosen.is_sparse or chosen.small


def points(grid: Grid, base: Settings) -> list[Point]:
    """Lists the runs, all those of the first seed first.

    Args:
        grid: What to vary.
        base: All other settings.
    """
    return [
        _point(dataclasses.replace(base, method=method, seed=seed), sparsity)
        for seed in range(grid.seeds)
        for method in grid.methods
        for sparsity in (grid.sparsities if has_sparsity(method) else (None,))
    ]


def _point(settings: Settings, sparsity: float | None) -> Point:
    method, seed = settings.method, settings.seed
    if sparsity is None:
        # A fixed one: it has no meaning, but is among the settings.
        return Point(
            f"{method}_s{seed}", dataclasses.replace(settings, sparsity=0.0)
        )
    return Point(
        f"{method}_{sparsity}_s{seed}",
        dataclasses.replace(settings, sparsity=sparsity),
    )


def _check_list(name: str, field: str, items: Sequence[Any]) -> None:
    received = f"Received: {name}={','.join(map(str, items))!r}."
    if not items:
        raise ValueError(f"`{name}` must name at least one. {received}")
    rule = RULES[field]
    wrong = [item for item in items if not rule.holds(item)]
    if wrong:
        raise ValueError(
            f"Each of `{name}` must be {rule.text}. {received} Change "
            f"{', '.join(map(repr, wrong))}."
        )
    if len(set(items)) < len(items):
        raise ValueError(f"`{name}` must differ from each other. {received}")
