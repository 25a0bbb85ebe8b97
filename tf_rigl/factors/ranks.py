"""Ranks of factors by a budget, a scale, an energy or as they are given."""

import dataclasses
from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
from typing import NamedTuple

from tf_rigl.core import checks
from tf_rigl.factors.candidates import Candidate

GROWS = "its factors would have as many weights or more"
NOT_NAMED = "it was not named"
# The precision of the scale that a ratio of parameters leads to.
_STEPS = 50
REFERENCE = "reference"
PRESETS = (None, REFERENCE)
# Of the published search for a scale, and of the ratio it reaches.
_TOLERANCE = 1e-6


class Chosen(NamedTuple):
    """The ranks of some candidates, and why others have none."""

    ranks: dict[str, int]  # by path
    left: dict[str, str]  # reasons by path


@dataclasses.dataclass(frozen=True)
class Targets:
    """The arguments of `factorize` that determine ranks, one of which is set.

    `ranks` is one number or those by path.
    """

    ratio: float | None = None
    ranks: int | Mapping[str, int] | None = None
    rank_scale: float | None = None
    energy: float | None = None

    def __post_init__(self) -> None:
        given = {
            name: value
            for name, value in dataclasses.asdict(self).items()
            if value is not None
        }
        if len(given) != 1:
            raise ValueError(
                "Ranks are determined by one of `ratio`, `ranks`, `rank_scale` "
                f"and `energy`. Received: {given or 'none of them'}. Pass "
                "ratio=0.1 for a tenth of the parameters."
            )
        for name in ("ratio", "energy"):
            value = getattr(self, name)
            if value is not None and not 0 < value <= 1:
                raise ValueError(
                    f"`{name}` is a share and must be in (0, 1]. Received: "
                    f"{name}={value}."
                )
        if self.rank_scale is not None:
            checks.check_above_zero("rank_scale", self.rank_scale)
        if isinstance(self.ranks, Mapping):
            for rank in self.ranks.values():
                checks.check_positive("ranks", rank)
        elif self.ranks is not None:
            checks.check_positive("ranks", self.ranks)


def choose(
    candidates: Sequence[Candidate],
    targets: Targets,
    named: Collection[str],
    parameters: int,
    depth: int,
    preset: str | None = None,
) -> Chosen:
    """Returns the ranks of candidates that can have factors.

    Args:
        candidates: those that may have factors.
        targets: what determines the ranks.
        named: paths of those that were named, which may grow.
        parameters: the number of all weights of the model.
        depth: the number of factors.
        preset: None, or `REFERENCE` for the conventions of the published code.

    Raises:
        ValueError: if a rank is above the full one, or the budget cannot be
            met.
    """
    left: dict[str, str] = {}
    is_reference = preset == REFERENCE
    if targets.ratio is not None and is_reference:
        wanted = _nearest(candidates, targets.ratio, parameters, depth)
    elif targets.ratio is not None:
        wanted = _within(candidates, targets.ratio, parameters, depth)
    elif targets.rank_scale is not None:
        wanted = _scaled(candidates, targets.rank_scale)
    elif targets.energy is not None:
        share = targets.energy
        wanted = {one.path: one.rank_of_energy(share) for one in candidates}
    else:
        wanted = _given(candidates, targets.ranks or {}, named)

    scale = targets.rank_scale
    may_grow = is_reference or (scale is not None and scale >= 1)
    for one in candidates:
        rank = wanted.get(one.path)
        if rank is None:
            left[one.path] = NOT_NAMED
        elif one.path in named or may_grow:
            continue
        elif rank > one.full:
            left[one.path] = f"its full rank is {one.full}"
        elif one.num_weights(rank, depth) >= one.size:
            left[one.path] = GROWS
    ranks = {path: rank for path, rank in wanted.items() if path not in left}
    return Chosen(ranks, left)


def _given(
    candidates: Sequence[Candidate],
    ranks: int | Mapping[str, int],
    named: Collection[str],
) -> dict[str, int]:
    """Returns ranks that were given, having checked those that were named."""
    by_path = {one.path: one for one in candidates}
    above: list[str] = []
    if isinstance(ranks, Mapping):
        wanted = dict(ranks)
    else:
        wanted = dict.fromkeys(by_path, ranks)
        if all(ranks > one.full for one in candidates):
            above = [*by_path]
    above += [
        path
        for path, rank in wanted.items()
        if path in named and rank > by_path[path].full
    ]
    if above:
        full = {path: by_path[path].full for path in dict.fromkeys(above)}
        raise ValueError(
            "`ranks` must be at most the full rank, from which on factors can "
            f"be any kernel. Received: ranks={ranks!r}; full are {full}. Pass "
            "rank_scale=2.0 for more than that, which is collapsed at the end."
        )
    return wanted


def _within(
    candidates: Sequence[Candidate], ratio: float, parameters: int, depth: int
) -> dict[str, int]:
    """Returns the largest ranks of one scale that a budget has room for."""
    others = parameters - sum(one.size for one in candidates)
    budget = int(ratio * parameters)

    def total(ranks: Mapping[str, int]) -> int:
        factors = (
            min(one.num_weights(ranks[one.path], depth), one.size)
            for one in candidates
        )
        return others + sum(factors)

    def of(scale: float) -> dict[str, int]:
        return {
            one.path: min(one.scaled_rank(scale), one.full)
            for one in candidates
        }

    low, high = 0.0, 1.0
    if total(of(low)) > budget:
        raise ValueError(
            "`ratio` must leave room for the weights without factors and a "
            f"rank of 1 each. Received: ratio={ratio} of {parameters:,} "
            f"weights; the least is {total(of(low)) / parameters:.6f}."
        )
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if total(of(middle)) <= budget:
            low = middle
        else:
            high = middle
    return of(low)


def _nearest(
    candidates: Sequence[Candidate], ratio: float, parameters: int, depth: int
) -> dict[str, int]:
    """Returns the ranks of the published search for a scale.

    Of the middles of a bisection, that whose share is nearest to the ratio,
    below or above it.
    """
    others = parameters - sum(one.size for one in candidates)
    low, high, best, least = 0.0, 1.0, 0.5, float("inf")
    while high - low >= _TOLERANCE and least >= _TOLERANCE:
        middle = (low + high) / 2
        ranks = _scaled(candidates, middle)
        factors = (
            one.num_weights(ranks[one.path], depth) for one in candidates
        )
        share = (others + sum(factors)) / parameters
        if abs(share - ratio) < least:
            best, least = middle, abs(share - ratio)
        if share < ratio:
            low = middle
        else:
            high = middle
    return _scaled(candidates, best)


def _scaled(candidates: Sequence[Candidate], scale: float) -> dict[str, int]:
    return {one.path: one.scaled_rank(scale) for one in candidates}
