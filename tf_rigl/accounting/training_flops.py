"""What training takes, by the formulas of the RigL paper."""

from collections.abc import Callable
from typing import NamedTuple


class Cost(NamedTuple):
    """FLOPs of one forward pass on one example, and ΔT."""

    sparse: float  # f_S
    dense: float  # f_D
    interval: int  # ΔT, optimizer steps


# A forward pass costs f; the backward pass costs 2 f, f for the gradients of
# the activations and f for those of the weights. A method that needs dense
# weight gradients pays f_D for them in those steps.
FORMULAS: dict[str, Callable[[Cost], float]] = {
    "dense": lambda cost: 3 * cost.dense,
    "static": lambda cost: 3 * cost.sparse,
    "set": lambda cost: 3 * cost.sparse,
    "snfs": lambda cost: 2 * cost.sparse + cost.dense,
    "rigl": lambda cost: (
        (3 * cost.sparse * cost.interval + 2 * cost.sparse + cost.dense)
        / (cost.interval + 1)
    ),
}


def training_flops(
    method: str,
    flops: float,
    dense_flops: float,
    update_interval: int = 100,
) -> float:
    """FLOPs that training on one example takes, on average.

    | method        | FLOPs                               |
    | ------------- | ----------------------------------- |
    | `dense`       | 3 f_D                               |
    | `static`      | 3 f_S                               |
    | `set`         | 3 f_S                               |
    | `snfs`        | 2 f_S + f_D                         |
    | `rigl`        | (3 f_S ΔT + 2 f_S + f_D) / (ΔT + 1) |

    Multiply by the number of examples seen for a whole run. Masks, optimizer
    and the choice of connections are not counted.

    Args:
        method: one of the names above, in any case.
        flops: f_S, FLOPs of one example in inference with the sparse
            weights, as in `profile(model).flops`.
        dense_flops: f_D, the same with all weights.
        update_interval: ΔT, optimizer steps between two mask updates; only
            `rigl` depends on it.

    Returns:
        FLOPs per example.

    Raises:
        ValueError: for an unknown method, negative FLOPs or an interval
            below 1.

    Example:
        >>> training_flops("rigl", flops=10, dense_flops=20, update_interval=9)
        31.0

    Reference: Evci et al., "Rigging the Lottery: Making All Tickets Winners",
    arXiv:1911.11134, appendix on the calculation of FLOPs.
    """
    formula = FORMULAS.get(method.lower()) if isinstance(method, str) else None
    if formula is None:
        raise ValueError(
            f"`method` must be one of {sorted(FORMULAS)}. "
            f"Received: method={method!r}."
        )
    if flops < 0 or dense_flops < 0:
        raise ValueError(
            "FLOPs must not be negative. "
            f"Received: flops={flops}, dense_flops={dense_flops}."
        )
    if update_interval < 1:
        raise ValueError(
            "`update_interval` must be at least 1 optimizer step. "
            f"Received: update_interval={update_interval}."
        )
    return float(formula(Cost(flops, dense_flops, update_interval)))
