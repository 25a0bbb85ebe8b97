"""The costs of each method of a sweep, counted without training."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from rich.table import Table

from tf_rigl.accounting import ModelProfile
from tf_rigl.core import text_table
from tf_rigl.experiments import methods
from tf_rigl.experiments.runs import networks
from tf_rigl.experiments.runs import results
from tf_rigl.experiments.runs.setup import PreparedRun
from tf_rigl.experiments.sweeps import records
from tf_rigl.experiments.sweeps import tables
from tf_rigl.experiments.sweeps.grid import Case
from tf_rigl.experiments.sweeps.grid import Point


class MethodCosts(NamedTuple):
    """The costs of a method at a sparsity."""

    label: str
    profile: ModelProfile
    training_flops: float  # of the whole run


def count(points: Sequence[Point], run: PreparedRun) -> dict[Case, MethodCosts]:
    """Builds the network of each method at each sparsity and counts.

    Raises:
        ValueError: if a network cannot be as sparse, or not by a method.
    """
    costs: dict[Case, MethodCosts] = {}
    profiles: dict[Any, ModelProfile] = {}
    for point in points:
        if point.case in costs:
            continue

        settings = point.settings
        kind = _kind_of_network(point)
        if kind not in profiles:
            run.keras.backend.clear_session()
            profiles[kind] = networks.final_profile(
                settings, run.keras, run.task
            )
        flops = results.training_flops(
            run._replace(settings=settings), profiles[kind]
        )
        costs[point.case] = MethodCosts(settings.label, profiles[kind], flops)
    return costs


def allocations(costs: Mapping[Case, MethodCosts]) -> list[ModelProfile]:
    """Returns the profiles that differ, layer by layer."""
    different: dict[Any, ModelProfile] = {}
    for cost in costs.values():
        profile = cost.profile
        layers = tuple((row.path, row.nonzeros) for row in profile.rows)
        different.setdefault(layers, profile)
    return list(different.values())


def costs_table(costs: Mapping[Case, MethodCosts], run: PreparedRun) -> Table:
    """Makes the table of the costs, for a terminal."""
    dense = max(cost.profile.dense_flops for cost in costs.values())
    examples = run.plan.total * run.settings.batch_size

    rows = [
        [
            cost.label,
            f"{cost.profile.nonzeros:,}",
            f"{cost.profile.bytes:,}",
            tables.share(cost.profile.flops / dense),
            tables.share(
                records.training_share(cost.training_flops, examples, dense)
            ),
        ]
        for cost in costs.values()
    ]
    return text_table.table(["", *tables.COSTS], rows)


def _kind_of_network(point: Point) -> Any:
    """Returns what runs share that end with as many connections in layers."""
    method = methods.METHODS[point.settings.method]
    structure = id(method.sparsify.get("structure"))
    return method.is_sparse, method.small, structure, point.settings.sparsity
