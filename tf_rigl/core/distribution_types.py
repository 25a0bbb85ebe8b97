"""Distributions with options, such as `ERK(power=0.5)` in place of `"erk"`.

    >>> allocate(shapes, 0.9, ERK(power=0.5, budget="reference"))

A string, a mapping or a callable is shorthand for the distribution with its
default options.
"""

import dataclasses
import math
import numbers
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Literal

from tf_rigl.core.checks import check_choice

Shapes = Mapping[str, Sequence[int]]
Budget = Literal["global", "reference"]

BUDGETS = ("global", "reference")
NAMES = ("uniform", "er", "erk")


@dataclasses.dataclass(frozen=True)
class Uniform:
    """The same density for every weight.

    Attributes:
        budget: `"global"`: weights that stay dense, or whose sparsity is given,
            count against the budget, so the sparsity over all weights is
            exactly the requested one. `"reference"`: such weights are ignored,
            as in the published repositories.
    """

    budget: Budget = "global"

    def __post_init__(self) -> None:
        check_choice("budget", self.budget, BUDGETS)


@dataclasses.dataclass(frozen=True)
class _ByShape:
    """Base of densities that are a power of a function of the shape."""

    power: float = 1.0
    budget: Budget = "global"

    def __post_init__(self) -> None:
        _check_power(self.power)
        check_choice("budget", self.budget, BUDGETS)


class ER(_ByShape):
    """Erdős-Rényi: density proportional to (n_in + n_out) / (n_in · n_out).

    n_in and n_out are the last two dimensions of a kernel.

    Attributes:
        power: exponent of the densities; 0 is uniform.
        budget: see `Uniform`.

    Reference: Mocanu et al., "Scalable training of artificial neural networks
    with adaptive sparse connectivity inspired by network science", 2018.
    """


class ERK(_ByShape):
    """Erdős-Rényi kernel: density proportional to (Σ dims) / (Π dims).

    Attributes:
        power: exponent of the densities; 0 is uniform.
        budget: see `Uniform`.

    Reference: Evci et al., arXiv:1911.11134, section 3(1).
    """


@dataclasses.dataclass(frozen=True)
class PerLayer:
    """Sparsities given by the user for some or all weights.

    Attributes:
        sparsities: a mapping of layers, layer names or weight paths to
            sparsities (`allocate` accepts only names), in which case the other
            weights share the rest of the budget; or a callable `({path: shape},
            sparsity) -> {path: sparsity}` that returns a sparsity for every
            weight.
        budget: see `Uniform`.
        rest: distribution over the weights that the mapping does not name:
            `"uniform"`, `"er"` or `"erk"`.
        power: exponent of `rest`; see `ER`.

    Example:
        >>> PerLayer({"logits": 0.5}, rest="erk")
    """

    sparsities: (
        Mapping[Any, float] | Callable[[Shapes, float], Mapping[str, float]]
    )
    budget: Budget = "global"
    rest: str = "uniform"
    power: float = 1.0

    def __post_init__(self) -> None:
        check_choice("budget", self.budget, BUDGETS)
        check_choice("rest", self.rest, NAMES)
        _check_power(self.power)
        given = self.sparsities
        if not isinstance(given, Mapping) and not callable(given):
            raise TypeError(
                "`sparsities` must be a mapping or a callable. "
                f"Received: sparsities={given!r}."
            )

        if callable(given) and self.rest != "uniform":
            raise ValueError(
                "A callable gives the sparsity of every weight, so there is "
                f"no rest. Received: rest={self.rest!r}. Pass a mapping of "
                "some weights to their sparsities."
            )


def _check_power(power: float) -> None:
    if not isinstance(power, numbers.Real) or not math.isfinite(power):
        raise ValueError(
            "`power` must be a finite number. "
            f"Received: power={power!r}. Usual values are 0 to 2."
        )


WithOptions = Uniform | ER | ERK | PerLayer
_EXPECTED = (
    f"`distribution` must be one of {NAMES}, a mapping or a callable, or "
    "one of Uniform, ER, ERK and PerLayer. Received: "
)


def with_options(
    distribution: Any, budget: Budget = "global", power: float = 1.0
) -> WithOptions:
    """Returns the distribution object for a shorthand.

    Args:
        distribution: `"uniform"`, `"er"`, `"erk"`, a mapping, a callable, or an
            object of this module, which already has its options.
        budget: see `Uniform`.
        power: see `ER`; ignored by other distributions.

    Raises:
        TypeError: if `distribution` is none of these.
        ValueError: for an unknown name or budget, a power that is no finite
            number, or options beside an object.
    """
    if isinstance(distribution, type) and issubclass(distribution, WithOptions):
        raise TypeError(
            "`distribution` must be an object, not its class. Received: "
            f"distribution={distribution.__name__}. Pass "
            f"{distribution.__name__}(...)."
        )
    if isinstance(distribution, WithOptions):
        if (budget, power) != ("global", 1.0):
            raise ValueError(
                "`budget` and `power` are options of the distribution. "
                f"Received: distribution={distribution!r}, budget={budget!r}, "
                f"power={power!r}. Pass them to its class."
            )
        return distribution

    if isinstance(distribution, str):
        if distribution not in NAMES:
            raise ValueError(_EXPECTED + f"distribution={distribution!r}.")
        if distribution == "uniform":
            return Uniform(budget)
        return (ER if distribution == "er" else ERK)(power, budget)

    if isinstance(distribution, Mapping) or callable(distribution):
        return PerLayer(distribution, budget)
    raise TypeError(_EXPECTED + f"distribution={distribution!r}.")


def shared_by(chosen: WithOptions) -> tuple[str, float]:
    """Returns the distribution, one of `NAMES`, and power of other weights."""
    if isinstance(chosen, Uniform):
        return "uniform", 1.0
    if isinstance(chosen, PerLayer):
        return chosen.rest, chosen.power
    return "er" if isinstance(chosen, ER) else "erk", chosen.power
