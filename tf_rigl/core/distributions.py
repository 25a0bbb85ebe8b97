"""Number of connections of each weight: uniform, Erdős-Rényi, ERK or custom.

    >>> allocate({"fc1": (784, 300), "fc2": (300, 100), "out": (100, 10)}, 0.9)
    {'fc1': 18714, 'fc2': 6906, 'out': 1000}

All counts are integers, so the masks hold exactly the numbers returned here.
"""

import itertools
import math
import operator
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping

from tf_rigl.core import checks
from tf_rigl.core import distribution_types
from tf_rigl.core import given_sparsities
from tf_rigl.core.decimals import floor_of
from tf_rigl.core.distribution_types import NAMES as NAMES
from tf_rigl.core.distribution_types import Budget as Budget
from tf_rigl.core.distribution_types import Shapes as Shapes

Distribution = (
    str
    | Mapping[str, float]
    | Callable[[Shapes, float], Mapping[str, float]]
    | distribution_types.WithOptions
)


def allocate(
    shapes: Shapes,
    sparsity: float,
    distribution: Distribution = "erk",
    *,
    dense: Collection[str] = (),
    budget: Budget = "global",
    power: float = 1.0,
) -> dict[str, int]:
    """Computes the number of active connections of each weight.

    With `"uniform"` every weight gets the same density. With `"er"` the density
    of a weight is proportional to (n_in + n_out) / (n_in · n_out) of its last
    two dimensions, with `"erk"` to (Σ dims) / (Π dims) of all of them, raised
    to `power`; weights whose density would exceed 1 are dense, and the others
    share the rest of the budget. A mapping gives the sparsities of the weights
    that it names; the others share the rest uniformly, or as `PerLayer(mapping,
    rest="erk")` says. A callable `(shapes, sparsity) -> mapping` gives the
    sparsity of every weight.

    Args:
        shapes: the shape of each weight, by name.
        sparsity: fraction of zeros over all of `shapes`, in [0, 1).
        distribution: `"uniform"`, `"er"`, `"erk"`, a mapping of names to
            sparsities, a callable that returns one, or one of `Uniform`,
            `ER`, `ERK` and `PerLayer`, which bring `budget` and `power`.
        dense: names of weights that stay dense, or a single name.
        budget: `"global"`: weights that stay dense (or are fixed by a mapping)
            count against the budget. All weights together then have exactly n -
            floor(sparsity · n) non-zeros. `"reference"`: the rule of the
            published repositories, which ignores such weights and gives each of
            the others n - floor(s · n).
        power: exponent of the ER and ERK densities; 0 is uniform.

    Returns:
        Number of non-zeros by name, in the order of `shapes`, each at least 1.

    Raises:
        TypeError: if `shapes` is not a mapping of shapes, `distribution` has
            none of the types above, or a callable takes other arguments or does
            not return a mapping.
        ValueError: if the sparsity is outside [0, 1), a distribution, budget or
            name is unknown, a weight is both dense and given a sparsity, or the
            budget cannot be met; the message then names the largest sparsity
            that can be reached.

    References: Mocanu et al., "Scalable training of artificial neural
    networks with adaptive sparse connectivity inspired by network science",
    2018 (ER); Evci et al., arXiv:1911.11134, section 3(1) (ERK).
    """
    checks.check_sparsity(sparsity)
    chosen = distribution_types.with_options(distribution, budget, power)
    sizes = _count_elements(shapes)
    dense = [dense] if isinstance(dense, str) else list(dense)
    given_sparsities.check_names("dense", dense, sizes)

    given = given_sparsities.given_sparsities(shapes, sparsity, chosen, dense)
    # Weights whose count does not depend on the others. A callable may give a
    # sparsity to a weight in `dense`; `dense` wins.
    fixed = {name: sizes[name] for name in sizes if name in set(dense)}
    for name, fraction in given.items():
        fixed.setdefault(name, _nonzeros(sizes[name], fraction))

    free = {name: size for name, size in sizes.items() if name not in fixed}
    shared_by, exponent = distribution_types.shared_by(chosen)
    scores = density_scores(shapes, shared_by, exponent)
    if chosen.budget == "global":
        counts = _share_exactly(sizes, free, fixed, scores, sparsity)
    elif shared_by != "uniform":
        counts = _share_ignoring_fixed(free, scores, sparsity)
    else:
        counts = {name: _nonzeros(n, sparsity) for name, n in free.items()}

    merged = counts | fixed
    return {name: merged[name] for name in sizes}


def _count_elements(shapes: Shapes) -> dict[str, int]:
    """Returns the size of each weight after checking `shapes`."""
    if not isinstance(shapes, Mapping):
        raise TypeError(
            "`shapes` must be a mapping of names to shapes. Received: "
            f"shapes={shapes!r}. For one weight pass {{'kernel': (300, 100)}}."
        )
    if not shapes:
        raise ValueError(
            "There must be at least one weight to allocate to. "
            "Received: shapes={}."
        )

    sizes = {}
    for name, shape in shapes.items():
        try:
            size = sizes[name] = math.prod(map(operator.index, shape))
        except TypeError as error:
            raise TypeError(
                "A shape must be a sequence of integers, all of them known. "
                f"Received: shape={shape!r} for {name!r}."
            ) from error
        if size < 1:
            raise ValueError(
                "A weight must have at least one element. "
                f"Received: {name!r} with {size} elements."
            )
    return sizes


def density_scores(
    shapes: Shapes, distribution: str, power: float = 1.0
) -> dict[str, float]:
    """Returns the relative density of each weight under one of `NAMES`.

    Raises:
        ValueError: if the distribution is unknown, or `power` makes a score
            overflow or vanish.
    """
    if distribution not in NAMES:
        raise ValueError(
            f"`distribution` must be one of {NAMES}, a mapping or a callable. "
            f"Received: distribution={distribution!r}."
        )

    if distribution == "uniform":
        return dict.fromkeys(shapes, 1.0)

    dims = {
        name: tuple(shape)[-2:] if distribution == "er" else tuple(shape)
        for name, shape in shapes.items()
    }
    ratios = {
        name: sum(dim) / math.prod(dim) if dim else 1.0
        for name, dim in dims.items()
    }

    # float64 overflows near exp(709). A NaN compares false, so it is refused.
    if not all(abs(power * math.log(r)) < 600 for r in ratios.values()):
        raise ValueError(
            "`power` must leave each density a positive, finite number. "
            f"Received: power={power}. Usual values are 0 to 2."
        )
    return {name: ratio**power for name, ratio in ratios.items()}


def _nonzeros(size: int, sparsity: float) -> int:
    """Returns n - floor(s · n), at least 1; s is read as its decimal."""
    return max(1, size - floor_of(sparsity, size))


def _share_exactly(
    sizes: Mapping[str, int],
    free: Mapping[str, int],
    fixed: Mapping[str, int],
    scores: Mapping[str, float],
    sparsity: float,
) -> dict[str, int]:
    """Shares the exact global budget among the free weights."""
    total = sum(sizes.values())
    target = total - floor_of(sparsity, total)
    left = target - sum(fixed.values())
    if not free:
        _check_all_fixed(sizes, fixed, left, sparsity)
        return {}
    if not len(free) <= left <= sum(free.values()):
        _raise_infeasible(total, free, fixed, sparsity)
    densities = solve_densities(free, scores, left)
    return _round_to_total(
        {name: density * free[name] for name, density in densities.items()},
        free,
        left,
    )


def _share_ignoring_fixed(
    free: Mapping[str, int], scores: Mapping[str, float], sparsity: float
) -> dict[str, int]:
    """Shares the budget of the free weights alone, as the references do."""
    if not free:
        return {}
    left = sum(_nonzeros(size, sparsity) for size in free.values())
    densities = solve_densities(free, scores, left)
    return {
        # Without `round`, float error could floor an integer to the one below.
        name: max(1, size - math.floor(round((1 - densities[name]) * size, 6)))
        for name, size in free.items()
    }


def solve_densities(
    free: Mapping[str, int], scores: Mapping[str, float], nonzeros: int
) -> dict[str, float]:
    """Returns the density of each weight as a real number.

    Solves Σ n_l · min(1, ε · score_l) = nonzeros for ε. A weight whose density
    would exceed 1 is made dense and removed from the sum. That can only raise ε
    for the others, so the loop ends at the fixed point.

    `free` maps names to numbers of elements, `scores` to positive densities.
    """
    dense: set[str] = set()
    while True:
        sparse = [name for name in free if name not in dense]
        rest = nonzeros - sum(free[name] for name in dense)
        if not sparse:
            return dict.fromkeys(free, 1.0)

        divisor = math.fsum(scores[name] * free[name] for name in sparse)
        epsilon = rest / divisor
        # The margin absorbs rounding. Without it, a weight that is dense in
        # exact arithmetic could come out as 1.0000000000000002, and the next
        # round would divide 0 by 0.
        over = {n for n in sparse if epsilon * scores[n] > 1 + 1e-12}

        if not over:
            return {
                name: 1.0 if name in dense else min(1.0, epsilon * scores[name])
                for name in free
            }
        dense |= over


def _round_to_total(
    ideal: Mapping[str, float], sizes: Mapping[str, int], total: int
) -> dict[str, int]:
    """Rounds `ideal` to integers in [1, size] that sum to `total`.

    Uses the method of largest remainders; ties go to the first weight.
    """
    counts = {
        name: min(max(1, math.floor(value)), sizes[name])
        for name, value in ideal.items()
    }

    by_remainder = sorted(ideal, key=lambda name: counts[name] - ideal[name])
    missing = total - sum(counts.values())
    while missing:
        step = 1 if missing > 0 else -1
        # Raising tiny weights to one connection may overshoot the total. The
        # surplus is taken from the weights furthest above their ideal.
        order = by_remainder if step > 0 else reversed(by_remainder)
        for name in order:
            if missing and 1 <= counts[name] + step <= sizes[name]:
                counts[name] += step
                missing -= step
    return counts


def _check_all_fixed(
    sizes: Mapping[str, int],
    fixed: Mapping[str, int],
    left: int,
    sparsity: float,
) -> None:
    """Raises a ValueError unless given sparsities agree with the total."""
    # Each given sparsity is rounded separately, so a difference of up to one
    # connection per weight is not a contradiction.
    if abs(left) > len(fixed):
        total = sum(sizes.values())
        reached = _shortest_decimal(total - sum(fixed.values()), total)
        raise ValueError(
            "`distribution` and `dense` fix every weight and must agree with "
            f"`sparsity`. Received: sparsity={sparsity}, but the given "
            f"sparsities make {reached}. Pass sparsity={reached}, or "
            'budget="reference".'
        )


def _raise_infeasible(
    total: int,
    free: Mapping[str, int],
    fixed: Mapping[str, int],
    sparsity: float,
) -> None:
    taken = sum(fixed.values())
    highest = _shortest_decimal(total - taken - len(free), total)
    lowest = _shortest_decimal(total - taken - sum(free.values()), total)
    raise ValueError(
        f"sparsity={sparsity} cannot be reached: {taken} of {total} elements "
        "are kept by `dense` or `distribution`, and each of the "
        f"{len(free)} other weights keeps at least one connection. The "
        f"reachable maximum is {highest}, the minimum {lowest}. Keep fewer "
        'weights dense, or pass budget="reference" to leave them out of the '
        "budget."
    )


def _shortest_decimal(zeros: int, total: int) -> str:
    """Returns the shortest decimal s with floor(s · total) = zeros.

    A fixed number of digits could name a sparsity that is itself out of reach.
    """
    for digits in itertools.count(1):
        scale = 10**digits
        numerator = -(-zeros * scale // total)
        if numerator * total < (zeros + 1) * scale:
            break
    return f"{numerator // scale}.{numerator % scale:0{digits}}"
