"""Registry of methods with one row each, from which all tables are built.

The names in `tf_rigl.algorithms`, the command line's methods, training FLOPs by
name, README's table and the tables of tests come from these rows. Adding a
method takes its file, a row here, and its oracle and test rows in
`tests/methods/oracles`.

This module does not import TensorFlow: a row imports its class on demand.
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
    """Schedule and amount of mask updates given on a command line."""

    stop_step: int  # end of the mask updates, in optimizer steps
    update_interval: int  # optimizer steps between two mask updates
    drop_fraction: float  # fraction of connections to move, in (0, 1]
    seed: int = 0  # seed of random growth and pruning
    start_step: int = 0  # first step that may prune, in optimizer steps
    # Fraction of its fan-in below which SRigL ablates a unit, in [0, 1].
    ablation_threshold: float = 0.3
    strength: float = 1e-4  # weight of the penalty on scales of channels
    total_steps: int | None = None  # steps of the training, where known

    @property
    def schedule(self) -> dict[str, Any]:
        """Arguments of methods that update masks at a fixed interval."""
        return {
            "stop_step": self.stop_step,
            "update_interval": self.update_interval,
        }

    @property
    def gradual(self) -> dict[str, Any]:
        """Arguments of methods that prune gradually."""
        return {**self.schedule, "start_step": self.start_step}

    @property
    def to_the_end(self) -> dict[str, Any]:
        """Arguments of methods that update masks for the whole training."""
        end = self.total_steps or self.stop_step
        return {**self.schedule, "stop_step": end}

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
    """One entry of the command line's `--method`."""

    label: str  # the name shown in tables and figures
    # Converts a plan to the constructor's arguments.
    arguments: Arguments = _none
    # Criterion for `tf_rigl.prune` before the first step, if any.
    prune_by: str | None = None
    prune_scope: str | None = None  # scope of `prune`; None for the default


@dataclasses.dataclass(frozen=True)
class Row:
    """The registry's row of one method."""

    module: str  # module in `tf_rigl/algorithms`
    class_name: str  # class in the module
    commands: Mapping[str, Command]  # command-line entries by name
    keeps: str  # README: which connections the method keeps
    grows: str  # README: which connections the method grows
    # Class in `tf_rigl.core.structures` that the masks must have, if any.
    structure: str | None = None
    # Initial masks; None for `start` of the method's requirements.
    start: str | None = None
    usage: str | None = None  # README: the call; None for the class alone
    weights: str = "kernels"  # the `weights` argument of `tf_rigl.sparsify`
    # Arguments of the class that make the method of this row.
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def algorithm(self) -> "type[Algorithm]":
        """The class of the method."""
        module = importlib.import_module(f"tf_rigl.algorithms.{self.module}")
        return getattr(module, self.class_name)

    def make(self, **arguments: Any) -> "Algorithm":
        """Makes the method with further arguments of its class."""
        return self.algorithm(**{**self.arguments, **arguments})

    @property
    def begins(self) -> str:
        """Initial masks: the `start` argument of `tf_rigl.sparsify`."""
        return self.start or self.make().requirements.start

    def sparsify_arguments(self) -> dict[str, Any]:
        """Returns the arguments of `tf_rigl.sparsify` for this method."""
        arguments: dict[str, Any] = {}
        if self.begins == "dense":
            arguments["start"] = "dense"
        if self.weights != "kernels":
            arguments["weights"] = self.weights
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
            ),
            # As `itop.set_itop` has it.
            "set_itop": Command(
                "SET-ITOP",
                lambda plan: {
                    **plan.to_the_end,
                    "start_step": min(
                        plan.update_interval, plan.to_the_end["stop_step"]
                    ),
                    "drop_fraction": 0.5,
                    "seed": plan.seed,
                },
            ),
        },
        "largest magnitudes",
        "at random",
    ),
    Row(
        "mest",
        "MEST",
        {
            "mest": Command(
                "MEST", lambda plan: {**plan.schedule, "seed": plan.seed}
            ),
            "mest_soft": Command(
                "MEST, soft bound",
                lambda plan: {
                    **plan.schedule,
                    "drop_delay": plan.update_interval - 1,
                    "seed": plan.seed,
                },
            ),
        },
        r"largest \|w\| + λ \|g\|",
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
        {
            "rigl": Command("RigL", lambda plan: plan.dynamic),
            # As `itop.rigl_itop` has it.
            "rigl_itop": Command(
                "RigL-ITOP",
                lambda plan: {
                    **plan.to_the_end,
                    "drop_fraction": 0.5,
                    "update_at_start": False,
                    "skip_weight_update": False,
                },
            ),
        },
        "largest magnitudes",
        "largest dense gradients",
    ),
    Row(
        "rigl",
        "RigL",
        {"rigl_steady": Command("Steady RigL", lambda plan: plan.dynamic)},
        "largest magnitudes",
        "largest mean gradients of 20 steps; of this library, of no paper",
        usage='`RigL(preset="steady")`',
        arguments={"preset": "steady"},
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
        "granet",
        "GraNet",
        {"granet": Command("GraNet", lambda plan: plan.schedule)},
        "largest magnitudes, along a cubic",
        "as many as it drops of what is left, by the largest gradients",
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
        "edge_popup",
        "EdgePopup",
        {"edge_popup": Command("Edge-popup", lambda plan: {"seed": plan.seed})},
        "largest trained scores; weights are frozen",
        "the same",
    ),
    Row(
        "supermask",
        "Supermask",
        {
            "supermask": Command("Supermask", lambda plan: {"seed": plan.seed}),
            "supermask_rescaled": Command(
                "Rescaled supermask",
                lambda plan: {"rescale": True, "seed": plan.seed},
            ),
        },
        "at random, by trained odds; weights are frozen",
        "the same",
    ),
    Row(
        "ac_dc",
        "ACDC",
        {"ac_dc": Command("AC/DC", lambda plan: {"stop_step": plan.stop_step})},
        "largest magnitudes",
        "everything, every other phase",
    ),
    Row(
        "slimming",
        "Slimming",
        {
            "slimming": Command(
                "Slimming",
                lambda plan: {
                    "strength": plan.strength,
                    "step": plan.stop_step,
                },
            )
        },
        "all; an L1 penalty shrinks scales of channels, to be pruned",
        "none",
        start="dense",
        weights="scales",
        usage="`Slimming()` + `prune(model)`",
    ),
)


def modules() -> tuple[str, ...]:
    """Returns the modules of all methods without duplicates."""
    return tuple(dict.fromkeys(row.module for row in ROWS))


def class_names() -> tuple[str, ...]:
    """Returns the class names of all methods without duplicates."""
    return tuple(dict.fromkeys(row.class_name for row in ROWS))


def find_module(class_name: str) -> str | None:
    """Returns the module of a method's class, None if there is none."""
    for row in ROWS:
        if row.class_name == class_name:
            return row.module
    return None


def find_command(name: str) -> "tuple[Row, Command] | None":
    """Returns the row and command-line entry of a name, None if unknown."""
    for row in ROWS:
        if name in row.commands:
            return row, row.commands[name]
    return None
