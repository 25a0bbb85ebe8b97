"""Training FLOPs by the formulas of the RigL paper."""

from tf_rigl.algorithms import registry
from tf_rigl.algorithms.algorithm import Algorithm
from tf_rigl.algorithms.requirements import Requirements
from tf_rigl.core import checks
from tf_rigl.core.schedules import UpdateSchedule

# The names of the dense baselines.
DENSE_METHODS = ("dense", "small_dense")
# RigL's ΔT, for a method that is given by name and so has no schedule.
_DEFAULT_INTERVAL = 100
# Arguments to instantiate a method by name. Their values do not matter, as only
# its `requirements` are read.
_ANY_PLAN = registry.UpdatePlan(
    stop_step=1, update_interval=_DEFAULT_INTERVAL, drop_fraction=0.3
)


def method_names() -> tuple[str, ...]:
    """Returns the names that `training_flops` knows."""
    commands = (name for row in registry.ROWS for name in row.commands)
    return (*DENSE_METHODS, *commands)


def training_flops(
    method: str | Algorithm,
    flops: float,
    dense_flops: float,
    update_interval: int | None = None,
    pruned_fraction: float = 1.0,
) -> float:
    """Returns the mean training FLOPs per example.

    They depend on how many batches of an interval need the dense gradient, and
    on whether the method prunes during training:

    | method                             | FLOPs                             |
    | ---------------------------------- | --------------------------------- |
    | `dense`, `small_dense`             | 3 f_D                             |
    | no dense gradient: `static`, `set` | 3 f_S                             |
    | n of ΔT + 1 batches: `rigl`,       | (3 f_S (ΔT + 1 - n) + n (2 f_S +  |
    | `srigl` with n = 1, `rigl_steady`  | f_D)) / (ΔT + 1)                  |
    | with n = 20                        |                                   |
    | all: `snfs`, `ste`                 | 2 f_S + f_D                       |
    | pruning while training: `pruning`  | 3 (f_D - p (f_D - f_S))           |
    | and growing by gradient: `granet`  | the same + p (f_D - f_S) / (ΔT +  |
    |                                    | 1)                                |

    Masks, the optimizer, the choice of connections, and the batches by which
    SNIP and GraSP prune are not counted. In its paper, Top-KAST needs weight
    gradients only of its set B; `TopKAST` computes dense ones and masks them,
    so dense ones are counted. For the FLOPs of a run, multiply by the number
    of examples seen.

    Args:
        method: a method such as `RigL()`, whose options matter, or a name of
            the command line, in any case, such as `"rigl"` or `"dense"`.
        flops: f_S, the inference FLOPs of one example with the sparse
            weights, as in `profile(model).flops`.
        dense_flops: f_D, the same with dense weights.
        update_interval: ΔT, the optimizer steps between two mask updates,
            which matter only in the third row; by default the method's own,
            or 100 for a name.
        pruned_fraction: p, the fraction of the final zeros that are zero,
            averaged over the steps of training, in [0, 1]; see the
            `pruned_fraction` of pruning methods.

    Returns:
        FLOPs per example.

    Raises:
        ValueError: if the method is unknown, FLOPs are negative, the interval
            is below 1, or the fraction is not in [0, 1].

    Example:
        >>> training_flops("rigl", flops=10, dense_flops=20, update_interval=9)
        31.0

    Reference: Evci et al., "Rigging the Lottery: Making All Tickets Winners",
    arXiv:1911.11134, appendix on the calculation of FLOPs.
    """
    requirements = _requirements(method)
    if update_interval is None:
        update_interval = _interval(method)

    if flops < 0 or dense_flops < 0:
        raise ValueError(
            "FLOPs must not be negative. "
            f"Received: flops={flops}, dense_flops={dense_flops}."
        )
    checks.check_at_least(
        "update_interval", update_interval, 1, unit=" optimizer step"
    )
    checks.check_fraction(
        "pruned_fraction", pruned_fraction, "a fraction of the final zeros"
    )

    if requirements is None:
        return float(3 * dense_flops)
    return float(
        _mean_flops(
            requirements, flops, dense_flops, update_interval, pruned_fraction
        )
    )


def formula(algorithm: Algorithm) -> str:
    """Returns the formula of a method's training FLOPs, as text."""
    requirements = algorithm.requirements
    if requirements.prunes_during_training:
        if requirements.dense_gradient_steps == 1:
            return "3 (f_D − p (f_D − f_S)) + p (f_D − f_S) / (ΔT + 1)"
        return "3 (f_D − p (f_D − f_S))"
    steps = requirements.dense_gradient_steps
    if steps == "all":
        return "2 f_S + f_D"
    if steps == 0:
        return "3 f_S"
    if steps == 1:
        return "(3 f_S ΔT + 2 f_S + f_D) / (ΔT + 1)"
    return f"(3 f_S (ΔT − {steps - 1}) + {steps} (2 f_S + f_D)) / (ΔT + 1)"


def _mean_flops(
    requirements: Requirements,
    sparse: float,
    dense: float,
    interval: int,
    pruned: float,
) -> float:
    """Returns the mean FLOPs per example over the batches of an interval.

    A forward pass costs f. The backward pass costs 2 f: f for the gradients of
    the activations and f for the gradients of the weights, which cost f_D in
    a batch that needs them dense.
    """
    steps = requirements.dense_gradient_steps
    if requirements.prunes_during_training:
        masked = pruned * (dense - sparse)
        grows = masked / (interval + 1) if steps == 1 else 0
        return 3 * (dense - masked) + grows

    with_dense_gradient = 2 * sparse + dense
    if steps == "all":
        return with_dense_gradient
    if steps == 0:
        return 3 * sparse

    batches = interval + 1
    n = min(steps, interval)  # "steady" averages no more
    total = 3 * sparse * (batches - n) + n * with_dense_gradient
    return total / batches


def _requirements(method: str | Algorithm) -> Requirements | None:
    if isinstance(method, Algorithm):
        return method.requirements
    name = method.lower() if isinstance(method, str) else None
    if name in DENSE_METHODS:
        return None

    found = None if name is None else registry.find_command(name)
    if found is None:
        raise ValueError(
            f"`method` must be one of {sorted(method_names())}. "
            f"Received: method={method!r}."
        )
    row, command = found
    return row.make(**command.arguments(_ANY_PLAN)).requirements


def _interval(method: str | Algorithm) -> int:
    """Returns a method's ΔT, or RigL's if the method has none."""
    if not isinstance(method, Algorithm):
        return _DEFAULT_INTERVAL
    schedule = method.mask_schedule
    if schedule is None:
        return _DEFAULT_INTERVAL
    if not isinstance(schedule, UpdateSchedule):
        is_open = schedule.stop_step is None
        schedule = (
            schedule.until(schedule.start_step) if is_open else schedule.close()
        )
    return schedule.interval
