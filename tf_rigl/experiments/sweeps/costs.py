"""The costs of each method of a sweep, counted without training."""

from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from rich import console as consoles

from tf_rigl import accounting
from tf_rigl.accounting import ModelProfile
from tf_rigl.core import text_table
from tf_rigl.experiments import methods
from tf_rigl.experiments import terminal
from tf_rigl.experiments.runs import networks
from tf_rigl.experiments.runs import plan as plans
from tf_rigl.experiments.runs import results
from tf_rigl.experiments.runs.settings import RunSettings
from tf_rigl.experiments.runs.setup import PreparedRun
from tf_rigl.experiments.sweeps import tables
from tf_rigl.experiments.sweeps.grid import Case
from tf_rigl.experiments.sweeps.grid import Point


class MethodCosts(NamedTuple):
    """The costs of a method at a sparsity."""

    label: str
    profile: ModelProfile
    training_flops: float  # the FLOPs of the whole run


def count(points: Sequence[Point], run: PreparedRun) -> dict[Case, MethodCosts]:
    """Builds the network of each method and sparsity, and counts its costs.

    Raises:
        ValueError: if a network or a method does not allow the sparsity.
    """
    costs: dict[Case, MethodCosts] = {}
    profiles: dict[Any, ModelProfile] = {}
    for point in points:
        if point.case in costs:
            continue

        # Networks of the same kind end with equally many connections in each
        # layer, so one profile serves all of them.
        settings = point.settings
        method = methods.METHODS[settings.method]
        structure = id(method.sparsify.get("structure"))
        kind = method.is_sparse, method.small, structure, settings.sparsity
        if kind not in profiles:
            run.keras.backend.clear_session()
            profiles[kind] = networks.final_profile(
                settings, run.keras, run.task
            )
        flops = training_flops(settings, run, profiles[kind])
        costs[point.case] = MethodCosts(settings.label, profiles[kind], flops)
    return costs


def training_flops(
    settings: RunSettings, run: PreparedRun, profile: ModelProfile
) -> float:
    """Counts the FLOPs of a whole run with the data of another one."""
    plan = plans.make_plan(settings, run.info)
    return results.training_flops(
        run._replace(settings=settings, plan=plan), profile
    )


def dense_training_flops(
    counted: Iterable[MethodCosts], run: PreparedRun
) -> float:
    """Returns the FLOPs of training the dense network as long as a run."""
    # A small-dense network counts itself as dense.
    dense = max(cost.profile.dense_flops for cost in counted)
    examples = run.plan.total * run.settings.batch_size
    return examples * accounting.training_flops("dense", dense, dense)


def describe(
    points: Sequence[Point], run: PreparedRun, console: consoles.Console
) -> None:
    """Prints the costs of each method, and the runs with their steps.

    Costs are compared with those of `run`, were it dense.
    """
    write = terminal.printer(console)
    costs = list(count(points, run).values())
    different: dict[Any, ModelProfile] = {}
    for cost in costs:
        layers = tuple((row.path, row.nonzeros) for row in cost.profile.rows)
        different.setdefault(layers, cost.profile)
    write("\n\n".join(map(str, different.values())))

    plan = run.plan
    trained_dense = dense_training_flops(costs, run)
    dense = max(cost.profile.dense_flops for cost in costs)
    rows = [
        [
            cost.label,
            f"{cost.profile.nonzeros:,}",
            f"{cost.profile.bytes:,}",
            tables.share(cost.profile.flops / dense),
            tables.share(cost.training_flops / trained_dense),
        ]
        for cost in costs
    ]
    console.print()
    console.print(text_table.TextTable(["", *tables.COSTS], rows))
    console.print()

    steps = [plans.make_plan(one.settings, run.info).total for one in points]
    for point, own in zip(points, steps, strict=True):
        write(f"{point.name}  {own:,} steps")
    epochs = sorted({own // plan.per_epoch for own in steps})
    between = " to ".join(map(str, dict.fromkeys((epochs[0], epochs[-1]))))
    write(
        f"Runs: {len(points)}; epochs: {between}, of {plan.per_epoch:,} steps; "
        f"{sum(steps):,} steps in all"
    )
