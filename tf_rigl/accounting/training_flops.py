"""What training takes, by the formulas of the RigL paper."""

from collections.abc import Callable
from typing import NamedTuple


class Cost(NamedTuple):
    """FLOPs of one forward pass on one example, and ΔT."""

    sparse: float  # f_S
    dense: float  # f_D
    interval: int  # ΔT, optimizer steps
    pruned: float  # p, mean fraction of the final zeros that are zero already


# A forward pass costs f; the backward pass costs 2 f, f for the gradients of
# the activations and f for those of the weights. A method that needs dense
# weight gradients pays f_D for them in those steps.
def _dense(cost: Cost) -> float:
    return 3 * cost.dense


def _sparse(cost: Cost) -> float:
    return 3 * cost.sparse


def _dense_weight_gradients(cost: Cost) -> float:
    return 2 * cost.sparse + cost.dense


def _dense_gradients_at_updates(cost: Cost) -> float:
    steps = 3 * cost.sparse * cost.interval
    return (steps + _dense_weight_gradients(cost)) / (cost.interval + 1)


def _pruned_on_the_way(cost: Cost) -> float:
    return 3 * (cost.dense - cost.pruned * (cost.dense - cost.sparse))


FORMULAS: dict[str, Callable[[Cost], float]] = {
    "dense": _dense,
    "small_dense": _dense,
    "static": _sparse,
    "snip": _sparse,
    "snip_by_weight": _sparse,
    "grasp": _sparse,
    "grasp_by_weight": _sparse,
    "set": _sparse,
    "rigl": _dense_gradients_at_updates,
    "srigl": _dense_gradients_at_updates,
    "snfs": _dense_weight_gradients,
    "ste": _dense_weight_gradients,
    "dnw": _dense_weight_gradients,
    "top_kast": _dense_weight_gradients,
    "pruning": _pruned_on_the_way,
    "pruning_global": _pruned_on_the_way,
    "random_pruning": _pruned_on_the_way,
    "one_shot": _pruned_on_the_way,
    "ac_dc": _pruned_on_the_way,
}


def training_flops(
    method: str,
    flops: float,
    dense_flops: float,
    update_interval: int = 100,
    pruned_fraction: float = 1.0,
) -> float:
    """FLOPs that training on one example takes, on average.

    | method                                | FLOPs                       |
    | ------------------------------------- | --------------------------- |
    | `dense`, `small_dense`                | 3 f_D                       |
    | `static`, `set`, `snip`, `grasp`,     | 3 f_S                       |
    | `snip_by_weight`, `grasp_by_weight`   |                             |
    | `snfs`, `ste`, `dnw`, `top_kast`      | 2 f_S + f_D                 |
    | `rigl`, `srigl`                       | (3 f_S ΔT + 2 f_S + f_D) /  |
    |                                       | (ΔT + 1)                    |
    | `pruning`, `pruning_global`,          | 3 (f_D - p (f_D - f_S))     |
    | `random_pruning`, `one_shot`, `ac_dc` |                             |

    The batches that SNIP and GraSP prune by are not counted. Top-KAST in its
    paper needs weight gradients of its set B only; with `TopKAST` they are
    dense and masked, and so they are counted.
    Multiply by the number of examples seen for a whole run. Masks, optimizer
    and the choice of connections are not counted.

    Args:
        method: one of the names above, in any case.
        flops: f_S, FLOPs of one example in inference with the sparse
            weights, as in `profile(model).flops`.
        dense_flops: f_D, the same with all weights.
        update_interval: ΔT, optimizer steps between two mask updates; only
            `rigl` and `srigl` depend on it.
        pruned_fraction: p, the mean over the steps of training of the
            fraction of the final zeros that are zero already, in [0, 1], as
            the pruning methods' `pruned_fraction` gives it.

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
    if not 0 <= pruned_fraction <= 1:
        raise ValueError(
            "`pruned_fraction` must be in [0, 1]. "
            f"Received: pruned_fraction={pruned_fraction}."
        )
    return float(
        formula(Cost(flops, dense_flops, update_interval, pruned_fraction))
    )
