"""The registry of methods: a row each, from which all tables follow.

The names of `tf_rigl.algorithms`, the methods of the command line, training
FLOPs by name, README's table and the tests' tables are made of these rows. A
new method is its file, a row here, and its oracle with its test rows in
`tests/methods/oracles`.

Imports no TensorFlow: a row finds its class when it is asked for it.
"""

import dataclasses
import importlib
from collections.abc import Callable
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any
from typing import NamedTuple

if TYPE_CHECKING:
    from tf_rigl.algorithms.algorithm import Algorithm


class UpdatePlan(NamedTuple):
    """Schedule and amount of the mask updates, as a command line gives them."""

    stop_step: int  # optimizer updates; no mask changes from there on
    update_interval: int  # optimizer updates from one mask update to the next
    drop_fraction: float  # of the connections, in (0, 1]
    seed: int = 0  # of random growth and pruning
    start_step: int = 0  # optimizer updates; nothing is pruned before
    # Of a unit's fan-in, below which SRigL ablates it, in [0, 1].
    ablation_threshold: float = 0.3

    @property
    def schedule(self) -> dict[str, Any]:
        """Arguments of methods that update masks regularly."""
        return {
            "stop_step": self.stop_step,
            "update_interval": self.update_interval,
        }

    @property
    def gradual(self) -> dict[str, Any]:
        """Arguments of methods that prune gradually."""
        return {**self.schedule, "start_step": self.start_step}

    @property
    def dynamic(self) -> dict[str, Any]:
        """Arguments of methods that drop and grow."""
        return {**self.schedule, "drop_fraction": self.drop_fraction}


Arguments = Callable[[UpdatePlan], Mapping[str, Any]]


def _none(plan: UpdatePlan) -> Mapping[str, Any]:
    del plan
    return {}


@dataclasses.dataclass(frozen=True)
class Command:
    """A method as the command line offers it."""

    label: str  # the name for people
    # Makes the constructor's arguments from a plan.
    arguments: Arguments = _none
    # Criterion of `tf_rigl.prune` before the first step.
    prune_by: str | None = None
    prune_scope: str | None = None  # its scope; None for the criterion's own


@dataclasses.dataclass(frozen=True)
class Row:
    """A method."""

    module: str  # the file in `tf_rigl/algorithms` that holds it
    class_name: str  # its class
    commands: Mapping[str, Command]  # what the command line offers, by name
    keeps: str  # for README: which connections it keeps
    grows: str  # for README: which it grows
    # Name of the class of `tf_rigl.core.structures` that its masks need, if
    # any.
    structure: str | None = None
    # The masks it begins with; None for what its requirements say.
    start: str | None = None
    usage: str | None = None  # for README: how it is called; None for its class

    @property
    def algorithm(self) -> "type[Algorithm]":
        """The method's class."""
        module = importlib.import_module(f"tf_rigl.algorithms.{self.module}")
        return getattr(module, self.class_name)

    @property
    def begins(self) -> str:
        """The masks that it begins with: `start` of `tf_rigl.sparsify`."""
        return self.start or self.algorithm().requirements.start

    def sparsify_arguments(self) -> dict[str, Any]:
        """Returns the arguments of `tf_rigl.sparsify` that it needs."""
        arguments: dict[str, Any] = {}
        if self.begins == "dense":
            arguments["start"] = "dense"
        if self.structure is not None:
            structures = importlib.import_module("tf_rigl.core.structures")
            arguments["structure"] = getattr(structures, self.structure)()
        return arguments


ROWS: tuple[Row, ...] = (
    Row("static", "Static", {"static": Command("Static")}, "all", "none"),
    Row(
        "snip",
        "SNIP",
        {
            "snip": Command("SNIP"),
            "snip_by_weight": Command(
                "SNIP by weight", lambda plan: {"scope": "weight"}
            ),
        },
        r"largest \|g · w\| of the first batches",
        "none",
    ),
    Row(
        "static",
        "Static",
        {
            "grasp": Command("GraSP", prune_by="grasp"),
            "grasp_by_weight": Command(
                "GraSP by weight", prune_by="grasp", prune_scope="weight"
            ),
        },
        "largest w · H g",
        "none",
        start="dense",
        usage='`prune(model, "grasp", data)` + `Static()`',
    ),
    Row(
        "set",
        "SET",
        {
            "set": Command(
                "SET", lambda plan: {**plan.dynamic, "seed": plan.seed}
            )
        },
        "largest magnitudes",
        "at random",
    ),
    Row(
        "snfs",
        "SNFS",
        {"snfs": Command("SNFS", lambda plan: plan.dynamic)},
        "largest magnitudes",
        "largest smoothed gradients; `redistribute=True` also between weights",
    ),
    Row(
        "rigl",
        "RigL",
        {"rigl": Command("RigL", lambda plan: plan.dynamic)},
        "largest magnitudes",
        "largest dense gradients",
    ),
    Row(
        "srigl",
        "SRigL",
        {
            "srigl": Command(
                "SRigL",
                lambda plan: {
                    **plan.dynamic,
                    "ablation_threshold": plan.ablation_threshold,
                    "never_ablate": ("logits/kernel",),
                },
            )
        },
        "largest magnitudes, units that matter",
        "largest gradients, as many for each unit",
        structure="ConstantFanIn",
    ),
    Row(
        "one_shot",
        "OneShot",
        {
            "one_shot": Command(
                "One-shot", lambda plan: {"step": plan.stop_step}
            )
        },
        "largest magnitudes, once",
        "none",
    ),
    Row(
        "gradual_pruning",
        "GradualPruning",
        {
            "random_pruning": Command(
                "Random pruning",
                lambda plan: {
                    **plan.gradual,
                    "criterion": "random",
                    "seed": plan.seed,
                },
            ),
            "pruning": Command("Pruning", lambda plan: plan.gradual),
            "pruning_global": Command(
                "Global pruning",
                lambda plan: {**plan.gradual, "scope": "global"},
            ),
        },
        "largest magnitudes, along a cubic; or at random",
        "none",
    ),
    Row(
        "ste",
        "STE",
        {"ste": Command("STE")},
        "largest magnitudes of all trained values",
        "the same",
    ),
    Row(
        "dnw",
        "DNW",
        {"dnw": Command("DNW")},
        "largest magnitudes of all trained values",
        "the same",
    ),
    Row(
        "top_kast",
        "TopKAST",
        {
            "top_kast": Command(
                "Top-KAST",
                lambda plan: {"update_interval": plan.update_interval},
            )
        },
        "largest magnitudes",
        "out of a larger trained set",
    ),
    Row(
        "ac_dc",
        "ACDC",
        {"ac_dc": Command("AC/DC", lambda plan: {"stop_step": plan.stop_step})},
        "largest magnitudes",
        "everything, every other phase",
    ),
)


def modules() -> tuple[str, ...]:
    """Returns the names of the files that hold methods, each once."""
    return tuple(dict.fromkeys(row.module for row in ROWS))


def class_names() -> tuple[str, ...]:
    """Returns the names of all methods' classes, each once."""
    return tuple(dict.fromkeys(row.class_name for row in ROWS))


def find_module(class_name: str) -> str | None:
    """Returns the file that holds a method, None if there is none."""
    for row in ROWS:
        if row.class_name == class_name:
            return row.module
    return None


def find_command(name: str) -> "tuple[Row, Command] | None":
    """Returns what the command line offers under a name, None if nothing."""
    for row in ROWS:
        if name in row.commands:
            return row, row.commands[name]
    return None
