"""Small-dense baselines: dense networks at the cost of a sparse one."""

from collections.abc import Callable
from typing import Any
from typing import NamedTuple

from tf_rigl.accounting.model_profile import ModelProfile
from tf_rigl.accounting.profile import profile

# The step between two widths.
RESOLUTION = 1 / 1024


class WidthMatch(NamedTuple):
    """The result of `match_width`."""

    width: float  # the width multiplier, in (0, 1]
    model: Any  # the network of this width
    profile: ModelProfile  # the costs of the network


def match_width(
    build: Callable[[float], Any],
    parameters: int | None = None,
    flops: int | None = None,
) -> WidthMatch:
    """Finds the widest network within a budget, the small-dense baseline.

    A sparse network should beat a dense one of the same size. This finds that
    size by bisection over the width multiplier, in steps of 1/1024.

    Args:
        build: returns a dense model for a width multiplier in (0, 1]. A wider
            model must not be cheaper.
        parameters: the budget of elements of all weights, such as
            `profile(sparse_model).nonzeros`.
        flops: the budget of FLOPs of one example, such as
            `profile(sparse_model).flops`. Exactly one budget must be given.

    Returns:
        The widest network whose cost does not exceed the budget.

    Raises:
        ValueError: if none or both budgets are given, or if the narrowest
            network exceeds the budget.

    Example:
        >>> budget = tf_rigl.profile(sparse_model).nonzeros
        >>> width, model, _ = tf_rigl.match_width(build, parameters=budget)

    Reference: "Small-Dense" of Evci et al., "Rigging the Lottery: Making All
    Tickets Winners", arXiv:1911.11134, section 4.
    """
    if (parameters is None) == (flops is None):
        raise ValueError(
            "Exactly one of `parameters` and `flops` must be given. "
            f"Received: parameters={parameters}, flops={flops}."
        )

    def match_within(steps: int) -> WidthMatch | None:
        """Builds the network of a width; returns None if it costs too much."""
        width = steps * RESOLUTION
        model = build(width)
        found = profile(model)
        if parameters is not None:
            fits = found.nonzeros <= parameters
        else:
            # `flops` is never None here, which type checkers cannot see.
            fits = found.flops <= (flops or 0)
        return WidthMatch(width, model, found) if fits else None

    best = match_within(1)
    if best is None:
        raise ValueError(
            "The narrowest network must be within the budget. Received: "
            f"parameters={parameters}, flops={flops} for "
            f"width={RESOLUTION}. Raise the budget."
        )

    # `best` always has a width of `low` steps, and no width above `high` fits.
    # The middle is rounded up, so that `low` grows until both meet.
    low, high = 1, round(1 / RESOLUTION)
    while low < high:
        middle = (low + high + 1) // 2
        match = match_within(middle)
        if match is None:
            high = middle - 1
        else:
            low, best = middle, match
    return best
