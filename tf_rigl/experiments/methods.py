"""The table of training methods that the command line offers.

A new method is one more row of `METHODS`. Its key is also its name in
`tf_rigl.accounting.training_flops`.
"""

import dataclasses
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

import tf_rigl


class UpdatePlan(NamedTuple):
    """When and how much the masks change."""

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


@dataclasses.dataclass(frozen=True)
class Method:
    """One way to train.

    Attributes:
        label: the name for people.
        algorithm: makes the method from a plan; None: trains densely.
        sparsify: arguments of `tf_rigl.sparsify` that the method needs.
        prune_by: criterion of `tf_rigl.prune` before the first step.
        prune_scope: its scope; None for the criterion's own.
        small: whether the network is dense and as narrow as the connections
            of the sparse one demand.
    """

    label: str
    algorithm: Callable[[UpdatePlan], Any] | None
    sparsify: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    prune_by: str | None = None
    prune_scope: str | None = None
    small: bool = False

    @property
    def is_sparse(self) -> bool:
        """Whether the method trains a masked model."""
        return self.algorithm is not None


def _static(plan: UpdatePlan) -> Any:
    del plan
    return tf_rigl.Static()


_DENSE_START = {"start": "dense"}

METHODS: dict[str, Method] = {
    "dense": Method("Dense", None),
    "small_dense": Method("Small-dense", None, small=True),
    "static": Method("Static", _static),
    "snip": Method("SNIP", lambda plan: tf_rigl.SNIP(), _DENSE_START),
    "snip_by_weight": Method(
        "SNIP by weight",
        lambda plan: tf_rigl.SNIP(scope="weight"),
        _DENSE_START,
    ),
    "grasp": Method("GraSP", _static, _DENSE_START, prune_by="grasp"),
    "grasp_by_weight": Method(
        "GraSP by weight",
        _static,
        _DENSE_START,
        prune_by="grasp",
        prune_scope="weight",
    ),
    "set": Method(
        "SET", lambda plan: tf_rigl.SET(**plan.dynamic, seed=plan.seed)
    ),
    "snfs": Method("SNFS", lambda plan: tf_rigl.SNFS(**plan.dynamic)),
    "rigl": Method("RigL", lambda plan: tf_rigl.RigL(**plan.dynamic)),
    "srigl": Method(
        "SRigL",
        lambda plan: tf_rigl.SRigL(
            **plan.dynamic,
            ablation_threshold=plan.ablation_threshold,
            never_ablate=("logits/kernel",),
        ),
        {"structure": tf_rigl.ConstantFanIn()},
    ),
    "one_shot": Method(
        "One-shot", lambda plan: tf_rigl.OneShot(plan.stop_step), _DENSE_START
    ),
    "random_pruning": Method(
        "Random pruning",
        lambda plan: tf_rigl.GradualPruning(
            **plan.gradual, criterion="random", seed=plan.seed
        ),
        _DENSE_START,
    ),
    "pruning": Method(
        "Pruning",
        lambda plan: tf_rigl.GradualPruning(**plan.gradual),
        _DENSE_START,
    ),
    "pruning_global": Method(
        "Global pruning",
        lambda plan: tf_rigl.GradualPruning(**plan.gradual, scope="global"),
        _DENSE_START,
    ),
    "ste": Method("STE", lambda plan: tf_rigl.STE(), _DENSE_START),
    "dnw": Method("DNW", lambda plan: tf_rigl.DNW(), _DENSE_START),
    "top_kast": Method(
        "Top-KAST",
        lambda plan: tf_rigl.TopKAST(update_interval=plan.update_interval),
        _DENSE_START,
    ),
    "ac_dc": Method(
        "AC/DC", lambda plan: tf_rigl.ACDC(plan.stop_step), _DENSE_START
    ),
}


def label(method: str, sparsity: float) -> str:
    """Names a method with the sparsity, if it has one, as in "RigL 98 %"."""
    chosen = METHODS[method]
    if not chosen.is_sparse and not chosen.small:
        return chosen.label
    return f"{chosen.label} {sparsity * 100:.4g} %"
