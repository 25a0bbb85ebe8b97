"""Validation of sparsities given by the user as a mapping or a callable."""

import inspect
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
from typing import Any

from tf_rigl.core import checks
from tf_rigl.core import distribution_types
from tf_rigl.core.distribution_types import Shapes


def given_sparsities(
    shapes: Shapes,
    sparsity: float,
    chosen: distribution_types.WithOptions,
    dense: Collection[str],
) -> dict[str, float]:
    """Returns the sparsities given by the user, by weight name.

    Args:
        shapes: the shape of each weight, by name.
        sparsity: fraction of zeros over all weights.
        chosen: the distribution; only `PerLayer` gives sparsities.
        dense: names of weights that stay dense.

    Raises:
        TypeError: if a callable takes other arguments or returns no mapping.
        ValueError: if a name is unknown, missing, or also in `dense`, or a
            sparsity is outside [0, 1).
    """
    if not isinstance(chosen, distribution_types.PerLayer):
        return {}
    distribution = chosen.sparsities
    if callable(distribution):
        given = _call(distribution, shapes, sparsity)
        missing = sorted(set(shapes) - set(given))
        if missing:
            raise ValueError(
                "A callable `distribution` must return a sparsity for every "
                f"weight. Received: none for {missing}."
            )
    else:
        given = dict(distribution)
        _check_no_overlap(given, dense)

    check_names("distribution", given, shapes)
    for name, value in given.items():
        checks.check_sparsity(value, f"distribution[{name!r}]")
    return given


def check_names(
    argument: str, names: Collection[str], known: Collection[str]
) -> None:
    """Raises a ValueError unless all `names` are in `known`."""
    unknown = sorted(set(names) - set(known), key=str)
    if unknown:
        raise ValueError(
            f"`{argument}` must name weights of this model. "
            f"Received: {unknown}. Known: {sorted(known)}."
        )


def _check_no_overlap(
    distribution: Mapping[str, float], dense: Collection[str]
) -> None:
    both = sorted(set(distribution) & set(dense))
    if both:
        raise ValueError(
            "A weight stays dense or is given a sparsity, not both. "
            f"Received: {both} in `dense` and in `distribution`. Remove it "
            "from one of them."
        )


def _call(
    distribution: Callable[..., Any], shapes: Shapes, sparsity: float
) -> dict[str, float]:
    """Calls the user's function and returns its sparsities.

    Raises:
        TypeError: if it takes other arguments or does not return a mapping.
    """
    expected = (
        "A callable `distribution` must take (shapes, sparsity) and return a "
        "mapping of each weight's name to its sparsity. Received: "
        f"distribution={distribution!r}, which "
    )
    try:
        inspect.signature(distribution).bind(shapes, sparsity)
    except ValueError:  # Some built-in functions have no signature.
        pass
    except TypeError as error:
        raise TypeError(f"{expected}has other arguments: {error}.") from error

    result = distribution(shapes, sparsity)
    try:
        return dict(result)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{expected}returned {result!r}.") from error
