"""The table of methods: the library's, its oracle and what it conserves."""

import dataclasses
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

import tf_rigl
from tests.methods import conservation
from tests.methods import dynamic_oracle as dynamic
from tests.methods import inactive_oracle as inactive
from tests.methods import pruning_oracle as pruning
from tests.methods import structured_oracle as structured
from tests.methods.training import LEARNING_RATE
from tests.methods.training import Oracle

STOP, INTERVAL, FRACTION = 40, 4, 0.3
DYNAMIC = {
    "stop_step": STOP,
    "update_interval": INTERVAL,
    "drop_fraction": FRACTION,
}


@dataclasses.dataclass(frozen=True)
class Case:
    """One row.

    Attributes:
        algorithm: the library's method.
        oracle: makes its oracle, which has a state.
        conserves: asserts what holds of the masks after each step.
        sparsify: further arguments of `tf_rigl.sparsify`.
        compiled: whether the library's step is a `tf.function`.
        tolerance: of values and momentum, relative.
    """

    algorithm: tf_rigl.algorithms.Algorithm
    oracle: Callable[[], Oracle]
    conserves: Callable[..., None] = conservation.each
    sparsify: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    compiled: bool = True
    tolerance: float = 1e-10


def rigl(options=None, oracle=None, **kwargs):
    """A row of RigL with some options."""
    return Case(
        tf_rigl.RigL(**DYNAMIC, **(options or {})),
        lambda: dynamic.RigL(STOP, INTERVAL, FRACTION, **(oracle or {})),
        **kwargs,
    )


def from_dense(algorithm, oracle, conserves=conservation.each, **kwargs):
    """A row of a method that begins with a dense network."""
    start = {"start": "dense"}
    return Case(algorithm, oracle, conserves, start, **kwargs)


def srigl(ablation_threshold, never_ablate=()):
    """A row of SRigL."""
    return Case(
        tf_rigl.SRigL(
            **DYNAMIC,
            ablation_threshold=ablation_threshold,
            never_ablate=never_ablate,
        ),
        lambda: structured.SRigL(
            STOP, INTERVAL, FRACTION, ablation_threshold, never_ablate
        ),
        conservation.fan_in,
        {"structure": tf_rigl.ConstantFanIn()},
    )


STATIC = {"static": Case(tf_rigl.Static(), Oracle)}

RIGL = {
    "rigl": rigl(),
    "rigl_eager": rigl(compiled=False),
    # The step 40 updates too: nothing moves then, but no weight is trained.
    "rigl_tf1": rigl(
        {"preset": "tf1", "start_step": 4, "decay": "inverse_power"},
        {
            "times": dynamic.tf1_times,
            "start": 4,
            "decay": dynamic.inverse_power,
        },
    ),
    "rigl_jaxpruner": rigl(
        {"preset": "jaxpruner", "start_step": 3},
        {
            "times": dynamic.jaxpruner_times,
            "start": 3,
            "kept": dynamic.round_kept_to_nearest,
        },
    ),
    "rigl_trains_every_batch": rigl(
        {"skip_weight_update": False, "start_step": 3, "decay": "linear"},
        {"skips": False, "start": 3, "decay": dynamic.linear},
    ),
    "rigl_grown_gradient": rigl(
        {"grow_init": "gradient", "grow_scale": -0.5, "slot_scale": 0.25},
        {
            "grown_value": dynamic.scaled_gradient(-0.5),
            # Keras's SGD keeps what it adds to the weight.
            "slot_scale": -LEARNING_RATE * 0.25,
        },
    ),
    "rigl_grown_initial": rigl(
        {"grow_init": "initial"},
        {"grown_value": dynamic.initial_value},
        sparsify={"options": tf_rigl.SparsifyOptions(keep_initial_values=True)},
    ),
    "rigl_slot_scale_of_tf1": rigl(
        {"slot_scale": 0.5},
        # TF1 keeps the sum of gradients and takes it off the weight at the
        # learning rate.
        {"slot_scale": -LEARNING_RATE * 0.5},
    ),
    # The mean is kept in float32.
    "rigl_grown_mean_gradient": rigl(
        {"gradient_steps": 3, "start_step": 4, "grow_init": "gradient"},
        {
            "gradient_steps": 3,
            "start": 4,
            "grown_value": dynamic.scaled_gradient(1.0),
        },
        tolerance=1e-5,
    ),
    "rigl_grown_mean_gradient_at_once": rigl(
        {"gradient_steps": 3, "grow_init": "gradient"},
        {"gradient_steps": 3, "grown_value": dynamic.scaled_gradient(1.0)},
        tolerance=1e-5,
    ),
}

OTHER_DYNAMIC = {
    "set": Case(
        tf_rigl.SET(**DYNAMIC, decay="constant", seed=5),
        lambda: dynamic.SET(
            STOP, INTERVAL, FRACTION, decay=dynamic.constant, seed=5
        ),
    ),
    "snfs": Case(
        tf_rigl.SNFS(**DYNAMIC), lambda: dynamic.SNFS(STOP, INTERVAL, FRACTION)
    ),
    "snfs_redistributing": Case(
        tf_rigl.SNFS(**DYNAMIC, redistribute=True),
        lambda: dynamic.SNFS(STOP, INTERVAL, FRACTION, redistribute=True),
        conservation.all_together,
    ),
    # At the paper's threshold of 0.3 this network would lose no unit.
    "srigl": srigl(0.8),
    "srigl_keeping_outputs": srigl(0.9, ("outputs/kernel",)),
    "srigl_without_ablation": srigl(None),
}

PRUNING = {
    "snip": from_dense(
        tf_rigl.SNIP(),
        pruning.SNIP,
        conservation.dense_before(0, conservation.all_together),
    ),
    "snip_three_batches": from_dense(
        tf_rigl.SNIP(batches=3),
        lambda: pruning.SNIP(3),
        conservation.dense_before(2, conservation.all_together),
    ),
    "snip_of_each_weight": from_dense(
        tf_rigl.SNIP(batches=3, scope="weight"),
        lambda: pruning.SNIP(3, "weight"),
        conservation.dense_before(2),
    ),
    "pruning": from_dense(
        tf_rigl.GradualPruning(STOP, INTERVAL),
        lambda: pruning.GradualPruning(STOP, INTERVAL),
        conservation.along_polynomial(STOP, INTERVAL),
    ),
    # The interval divides nothing here and in the next row.
    "pruning_globally": from_dense(
        tf_rigl.GradualPruning(STOP, 6, 3, 0.25, scope="global"),
        lambda: pruning.GradualPruning(STOP, 6, 3, 0.25, scope="global"),
        conservation.along_polynomial(STOP, 6, 3, 0.25, together=True),
        compiled=False,
    ),
    "random_pruning": from_dense(
        tf_rigl.GradualPruning(
            STOP, 6, 3, criterion="random", reach_target=False, seed=5
        ),
        lambda: pruning.GradualPruning(
            STOP, 6, 3, criterion="random", reach_target=False, seed=5
        ),
        conservation.along_polynomial(STOP, 6, 3, reach_target=False),
    ),
    "random_pruning_globally": from_dense(
        tf_rigl.GradualPruning(
            STOP, INTERVAL, criterion="random", scope="global"
        ),
        lambda: pruning.GradualPruning(
            STOP, INTERVAL, criterion="random", scope="global"
        ),
        conservation.along_polynomial(STOP, INTERVAL, together=True),
    ),
    "one_shot": from_dense(
        tf_rigl.OneShot(7),
        lambda: pruning.OneShot(7),
        conservation.dense_before(7),
    ),
    "one_shot_globally": from_dense(
        tf_rigl.OneShot(7, scope="global"),
        lambda: pruning.OneShot(7, scope="global"),
        conservation.dense_before(7, conservation.all_together),
    ),
    "ac_dc": from_dense(
        tf_rigl.ACDC(STOP, 5, 6),
        lambda: pruning.ACDC(STOP, 5, 6),
        conservation.in_turns(STOP),
    ),
    "ac_dc_globally": from_dense(
        tf_rigl.ACDC(STOP, 5, 0, scope="global"),
        lambda: pruning.ACDC(STOP, 5, 0, scope="global"),
        conservation.in_turns(STOP, conservation.all_together),
    ),
}

INACTIVE = {
    "ste": from_dense(tf_rigl.STE(), inactive.STE),
    "ste_eager": from_dense(tf_rigl.STE(), inactive.STE, compiled=False),
    "ste_globally": from_dense(
        tf_rigl.STE(scope="global"),
        lambda: inactive.STE(scope="global"),
        conservation.all_together,
    ),
    "ste_at_random": from_dense(
        tf_rigl.STE(3, criterion="random", seed=5),
        lambda: inactive.STE(3, criterion="random", seed=5),
    ),
    "dnw": from_dense(tf_rigl.DNW(), inactive.STE),
    "top_kast": from_dense(
        tf_rigl.TopKAST(30, 4, backward_ratio=1.4, regularization=0.01),
        lambda: inactive.TopKAST(4, 1.4, 0.01, stop=30),
    ),
    "top_kast_eager": from_dense(
        tf_rigl.TopKAST(30, 4, backward_ratio=1.4, regularization=0.01),
        lambda: inactive.TopKAST(4, 1.4, 0.01, stop=30),
        compiled=False,
    ),
}

CASES = STATIC | RIGL | OTHER_DYNAMIC | PRUNING | INACTIVE

# Oracles that are a little off: each must be told apart from the method.
WRONG_ORACLES = {
    "rigl": lambda: dynamic.RigL(STOP, INTERVAL, 0.9 * FRACTION),
    "rigl_tf1": lambda: dynamic.RigL(
        STOP, INTERVAL, FRACTION, start=4, decay=dynamic.inverse_power
    ),
    "rigl_grown_mean_gradient": lambda: dynamic.RigL(
        STOP,
        INTERVAL,
        FRACTION,
        start=4,
        grown_value=dynamic.scaled_gradient(1.0),
    ),
    "set": lambda: dynamic.SET(
        STOP, INTERVAL, FRACTION, decay=dynamic.constant
    ),
    "snfs": lambda: dynamic.SNFS(STOP, INTERVAL, FRACTION, momentum=0.8),
    "snfs_redistributing": lambda: dynamic.SNFS(STOP, INTERVAL, FRACTION),
    "srigl": lambda: structured.SRigL(STOP, INTERVAL, FRACTION, 0.7),
    "snip_of_each_weight": lambda: pruning.SNIP(3),
    "pruning": lambda: pruning.GradualPruning(STOP, INTERVAL, power=2.7),
    "one_shot_globally": lambda: pruning.OneShot(7),
    "ste_globally": inactive.STE,
    "top_kast": lambda: inactive.TopKAST(4, 1.4, 0.009, stop=30),
}
