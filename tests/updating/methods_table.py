"""The table of methods that `methods_test.py` runs: a new method, a new row."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import tf_rigl

STEPS = 16
SPARSITY = 0.7


def constant(row, record, step):
    """As many connections as allotted, always."""
    del row, step
    return record.target


def dense_until(first_step):
    """All connections before a step has been taken, the target from then."""

    def expected(row, record, step):
        del row
        return record.target if step >= first_step else record.size

    return expected


def gradual(row, record, step):
    """On the polynomial of the schedule."""
    schedule = row.algorithm.schedule
    done = sum(map(schedule.is_update, range(step + 1)))
    if not done:
        return record.size
    return int(row.algorithm.connections(record.size, record.target)[done - 1])


def alternating(row, record, step):
    """Compressed and decompressed in turn, compressed at the end."""
    schedule = row.algorithm.schedule
    done = sum(map(schedule.is_update, range(step + 1)))
    last = done == schedule.num_updates
    return record.target if done % 2 or last else record.size


@dataclasses.dataclass(frozen=True)
class Row:
    """A method and what is to hold while it trains.

    Attributes:
        algorithm: the method.
        sparsify: arguments of `sparsify` beyond the sparsity.
        connections: `(row, record, step)` -> connections of a weight after
            the step number `step`.
        over_all: whether only the sum over all weights is given.
        moves: whether masks are to change after their first pruning.
    """

    algorithm: Any
    sparsify: dict[str, Any] = dataclasses.field(default_factory=dict)
    connections: Callable[..., int] = constant
    over_all: bool = False
    moves: bool = True


DENSE = {"start": "dense"}
Dynamic = functools.partial(dict, stop_step=12, update_interval=3)

ROWS = {
    "static": Row(tf_rigl.Static(), moves=False),
    "rigl": Row(tf_rigl.RigL(**Dynamic())),
    "rigl_tf1": Row(tf_rigl.RigL(**Dynamic(), preset="tf1")),
    "rigl_options": Row(
        tf_rigl.RigL(
            **Dynamic(),
            preset="jaxpruner",
            grow_init="random",
            slot_scale=0.5,
            drop_noise=1e-3,
            gradient_steps=2,
        )
    ),
    "rigl_initial": Row(
        tf_rigl.RigL(**Dynamic(), grow_init="initial"),
        {"options": tf_rigl.SparsifyOptions(keep_initial_values=True)},
    ),
    "rigl_block": Row(
        tf_rigl.RigL(**Dynamic(), drop_fraction=0.5),
        {"structure": tf_rigl.Block(2, 2)},
    ),
    "rigl_n_by_m": Row(
        tf_rigl.RigL(**Dynamic()),
        {
            "structure": tf_rigl.NByM(1, 4),
            "distribution": "uniform",
            "sparsity": 0.75,
        },
    ),
    "set": Row(tf_rigl.SET(**Dynamic())),
    "snfs": Row(tf_rigl.SNFS(**Dynamic())),
    "snfs_redistribute": Row(
        tf_rigl.SNFS(**Dynamic(), redistribute=True), over_all=True
    ),
    "srigl": Row(
        tf_rigl.SRigL(**Dynamic(), ablation_threshold=None),
        {"structure": tf_rigl.ConstantFanIn()},
    ),
    "snip": Row(
        tf_rigl.SNIP(), DENSE, dense_until(0), over_all=True, moves=False
    ),
    "snip_weight": Row(
        tf_rigl.SNIP(batches=3, scope="weight"),
        DENSE,
        dense_until(2),
        moves=False,
    ),
    "one_shot": Row(tf_rigl.OneShot(4), DENSE, dense_until(4), moves=False),
    "pruning": Row(tf_rigl.GradualPruning(12, 3, start_step=2), DENSE, gradual),
    "pruning_global": Row(
        tf_rigl.GradualPruning(12, 3, scope="global"),
        DENSE,
        gradual,
        over_all=True,
    ),
    "pruning_random": Row(
        tf_rigl.GradualPruning(12, 3, criterion="random"), DENSE, gradual
    ),
    "pruning_channel": Row(
        tf_rigl.GradualPruning(0, 3),
        {**DENSE, "structure": tf_rigl.Channel()},
        dense_until(0),
        moves=False,
    ),
    "ste": Row(tf_rigl.STE(update_interval=2), DENSE),
    "ste_global": Row(tf_rigl.STE(scope="global"), DENSE, over_all=True),
    "dnw": Row(tf_rigl.DNW(), DENSE),
    "top_kast": Row(tf_rigl.TopKAST(update_interval=2), DENSE),
    "ac_dc": Row(tf_rigl.ACDC(12, 3, start_step=1), DENSE, alternating),
}
