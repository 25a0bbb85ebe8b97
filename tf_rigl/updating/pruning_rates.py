"""How many connections `prune` leaves, by rates of those that are left."""

import dataclasses
import warnings
from collections.abc import Mapping
from typing import Any

from tf_rigl.backend.flavor import model_flavor
from tf_rigl.core import decimals
from tf_rigl.masking import tree
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.named_weights import NamedWeights


@dataclasses.dataclass(frozen=True)
class Contest:
    """Weights whose positions compete for the connections that stay."""

    records: list[MaskedWeight]
    counts: list[int]  # connections left; if global, only their sum matters
    scope: str  # "weight" or "global"
    allots: bool  # whether weights are allotted what stays


def to_targets(records: list[MaskedWeight], scope: str) -> list[Contest]:
    """Returns the contest for the connections that weights were allotted.

    Raises:
        ValueError: if a weight has fewer connections than that.
    """
    for record in records:
        if record.num_active() < record.target:
            raise ValueError(
                "A weight must have at least as many connections as its "
                f"target. Received: {record.num_active()} instead of "
                f"{record.target} for {record.path!r}. Pass `amount` to drop a "
                "fraction of those that are left."
            )
    return [
        Contest(alike, [one.target for one in alike], scope, False)
        for alike in _alike(records)
    ]


def by_rates(
    model: Any,
    records: list[MaskedWeight],
    scope: str,
    amount: float | None,
    rates: Mapping[Any, float],
) -> list[Contest]:
    """Returns the contests in which fractions of the connections are dropped.

    Of n connections, n - floor(rate · n) stay, with the rate read as the
    decimal that was written, rounded as the weight's structure does it. Under
    the global scope, weights without a rate of their own compete together.

    Args:
        model: the model of the weights.
        records: all masked weights.
        scope: `"weight"` or `"global"`.
        amount: rate of the weights that `rates` does not name, except those
            that `sparsify` was told to keep dense; None for 0.
        rates: rates by layer, name or path.

    Raises:
        ValueError: if a rate is outside [0, 1), a name is unknown, or a weight
            would lose its last connection to its own rate.
    """
    amount = checked_rate("amount", 0.0 if amount is None else amount)
    own = {one.path: 0.0 for one in records if one.stays_dense}
    own.update(rates_by_path(model, rates))

    shared = [one for one in records if one.path not in own]
    if scope == "weight":
        own.update({record.path: amount for record in shared})
        shared = []
    alone = [record for record in records if record.path in own]

    contests = []
    if alone:
        counts = [_left(record, own[record.path]) for record in alone]
        contests.append(Contest(alone, counts, "weight", True))
    for alike in _alike(shared):
        before = [record.num_active() for record in alike]
        total = _subtract(sum(before), amount)
        # Only the sum matters, which the first weights take up.
        counts = [total, *[0] * (len(alike) - 1)]
        contests.append(Contest(alike, counts, "global", True))
    return contests


def _alike(records: list[MaskedWeight]) -> list[list[MaskedWeight]]:
    """Splits weights into kernels and scales, which do not compare."""
    scales = [record for record in records if record.is_scale]
    kernels = [record for record in records if not record.is_scale]
    return [group for group in (kernels, scales) if group]


def warn_of_collapse(records: list[MaskedWeight]) -> None:
    """Warns of weights without any connection, through which nothing passes."""
    empty = [record.path for record in records if not record.num_active()]
    if empty:
        warnings.warn(
            f"Layer collapse: pruning has left {empty} without connections, so "
            "nothing passes them. Give them a rate of their own by `rates`, or "
            "pass scope='weight'.",
            # The caller of `prune`.
            stacklevel=3,
        )


def rates_by_path(model: Any, rates: Mapping[Any, float]) -> dict[str, float]:
    """Returns rates that were given by layer, name or path, by path.

    Raises:
        ValueError: if a rate is outside [0, 1) or a name is unknown.
    """
    flavor = model_flavor(model)
    weights = NamedWeights(flavor, model, tree.sites(flavor, model))
    return {
        path: checked_rate(f"rates[{target!r}]", rate)
        for target, rate in rates.items()
        for path in weights.paths_of("rates", target)
    }


def checked_rate(name: str, rate: float) -> float:
    """Returns a rate; raises a ValueError if it is outside [0, 1)."""
    if isinstance(rate, bool) or not 0 <= rate < 1:
        raise ValueError(
            f"`{name}` is the fraction of the connections left that is dropped "
            f"and must be in [0, 1). Received: {name}={rate!r}. For 20 % pass "
            "0.2."
        )
    return rate


def _left(record: MaskedWeight, rate: float) -> int:
    """Returns how many connections a weight has after it was pruned."""
    before = record.num_active()
    left = _subtract(before, rate)
    if record.layout is not None and left < record.size:
        left = record.structure.connections(record.layout.shape, left)
    left = max(left, record.least)
    if before and not left:
        raise ValueError(
            "A rate must leave a weight at least one connection. Received: "
            f"a rate of {rate} for {record.path!r}, which has {before}. Lower "
            "it by `rates`, or stop before this round."
        )
    return min(left, before)


def _subtract(count: int, rate: float) -> int:
    return count - decimals.floor_of(rate, count)
