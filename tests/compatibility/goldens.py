"""Runs of every method whose masks are the same on every machine.

And in every process, although hashes of strings differ.

All masked layers see the input itself, and the loss is the sum of their
outputs, each times a label. So gradients do not depend on the weights: they
are sums of products of small integers. Weights are multiples of 1/256, learning
rate and momentum powers of two. Nothing is rounded in float32, in whatever
order a machine adds, so that masks can be compared bit by bit. (In float64 they
were the same, but for rows that do not run in it: GraSP, blocks, channels.)

GraSP, which needs a curved loss, and values that are drawn or divided (random
`grow_init`, noise, Top-KAST's λ) are rounded; there, what stays and what goes
is far apart.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

import tf_rigl
from tests import support
from tests.compatibility import cases

STEPS = 12
_BATCH = 4
_SHAPE = (4, 4, 2)
_UNITS = {"conv": 4, "hidden": 16, "logits": 8}
_OUTPUTS = 16 + 16 + 8


@dataclasses.dataclass(frozen=True)
class Row:
    """A method, as in the programs' table of methods or a variant of it.

    Attributes:
        algorithm: the method.
        sparsify: arguments of `sparsify`.
        prune: arguments of `prune` before the first step.
        in_full: whether only the slow tests run it.
    """

    algorithm: Any
    sparsify: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    prune: Mapping[str, Any] | None = None
    in_full: bool = False


DENSE = {"start": "dense"}
SCHEDULE: dict[str, Any] = {"stop_step": 10, "update_interval": 3}
DYNAMIC: dict[str, Any] = {**SCHEDULE, "drop_fraction": 0.5}
GRADUAL: dict[str, Any] = {**SCHEDULE, "start_step": 1}


def rigl(sparsify=None, in_full=True, **options):
    return Row(
        tf_rigl.RigL(**{**DYNAMIC, **options}), sparsify or {}, in_full=in_full
    )


ROWS = {
    # The names of the programs' table.
    "static": Row(tf_rigl.Static()),
    "snip": Row(tf_rigl.SNIP(), DENSE),
    "snip_by_weight": Row(tf_rigl.SNIP(scope="weight"), DENSE, in_full=True),
    "grasp": Row(tf_rigl.Static(), DENSE, {"criterion": "grasp"}),
    "grasp_by_weight": Row(
        tf_rigl.Static(),
        DENSE,
        {"criterion": "grasp", "scope": "weight"},
        in_full=True,
    ),
    "set": Row(tf_rigl.SET(**DYNAMIC, seed=3)),
    "snfs": Row(tf_rigl.SNFS(**DYNAMIC, momentum=0.5)),
    "rigl": Row(tf_rigl.RigL(**DYNAMIC)),
    "srigl": Row(
        tf_rigl.SRigL(
            **DYNAMIC, ablation_threshold=0.5, never_ablate=("logits/kernel",)
        ),
        {"structure": tf_rigl.ConstantFanIn()},
    ),
    "one_shot": Row(tf_rigl.OneShot(6), DENSE),
    "random_pruning": Row(
        tf_rigl.GradualPruning(**GRADUAL, criterion="random", seed=3), DENSE
    ),
    "pruning": Row(tf_rigl.GradualPruning(**GRADUAL), DENSE),
    "pruning_global": Row(
        tf_rigl.GradualPruning(**GRADUAL, scope="global"), DENSE, in_full=True
    ),
    "ste": Row(tf_rigl.STE(), DENSE),
    "dnw": Row(tf_rigl.DNW(), DENSE),
    "top_kast": Row(tf_rigl.TopKAST(update_interval=3), DENSE),
    "ac_dc": Row(tf_rigl.ACDC(10, 2, start_step=1), DENSE),
    # Structures.
    "rigl_block": rigl({"structure": tf_rigl.Block(2, 2)}),
    "rigl_block_max": rigl({"structure": tf_rigl.Block(3, 4, pooling="max")}),
    "rigl_n_by_m": rigl(
        {
            "structure": tf_rigl.NByM(1, 2),
            "distribution": "uniform",
            "sparsity": 0.5,
        }
    ),
    "rigl_fan_in": rigl({"structure": tf_rigl.ConstantFanIn()}),
    "rigl_channel": rigl({"structure": tf_rigl.Channel()}),
    "rigl_channel_inputs": rigl(
        {"structure": tf_rigl.Channel("inputs"), "sparsity": 0.5}
    ),
    # Presets and options of RigL.
    "rigl_tf1": rigl(preset="tf1"),
    "rigl_jaxpruner": rigl(preset="jaxpruner", start_step=2),
    "rigl_gradient_steps": rigl(gradient_steps=3),
    "rigl_grow_gradient": rigl(grow_init="gradient", grow_scale=-0.0625),
    "rigl_grow_random": rigl(None, False, grow_init="random", seed=5),
    "rigl_grow_initial": rigl(
        {"options": tf_rigl.SparsifyOptions(keep_initial_values=True)},
        grow_init="initial",
    ),
    "rigl_slot_scale": rigl(slot_scale=0.5, preset="tf1"),
    "rigl_drop_noise": rigl(drop_noise=0.25, seed=5),
    "rigl_linear": rigl(decay="linear"),
    "rigl_batch_size": rigl(update_interval=1, batch_size=2048),
    # Options of other methods and of `sparsify`.
    "snfs_redistribute": dataclasses.replace(
        Row(tf_rigl.SNFS(**DYNAMIC, momentum=0.5, redistribute=True)),
        in_full=True,
    ),
    "rigl_erdos_renyi": rigl({"distribution": "er", "seed": 11}),
    "rigl_uniform": rigl(
        {"distribution": "uniform", "dense": ["logits"], "sparsity": 0.6}
    ),
    "rigl_magnitude": rigl({"start": "magnitude"}),
    "pruning_channel": Row(
        tf_rigl.GradualPruning(**GRADUAL),
        {**DENSE, "structure": tf_rigl.Channel()},
        in_full=True,
    ),
}


def record(name, keras):
    """Trains by a method.

    Args:
        name: of the row.
        keras: the name of the Keras.

    Returns:
        The connections of each weight and the digest of its mask, at the
        start and in the end.
    """
    row = ROWS[name]
    model = make(row, cases.load_keras(keras))
    initial = _describe(model)
    support.fit(model, data(), row.algorithm, batch_size=_BATCH)
    return {"initial": initial, "trained": _describe(model)}


def make(row, keras):
    layers = keras.layers
    inputs = keras.Input(_SHAPE, name="image")
    conv = layers.Conv2D(_UNITS["conv"], 3, name="conv")(inputs)
    flat = layers.Flatten(name="flat")(inputs)
    branches = [
        layers.Flatten(name="positions")(conv),
        layers.Dense(_UNITS["hidden"], name="hidden")(flat),
        layers.Dense(_UNITS["logits"], name="logits")(flat),
    ]
    model = keras.Model(inputs, layers.Concatenate(name="all")(branches))
    random = np.random.RandomState(1)
    model.set_weights(
        [
            (random.randint(-400, 401, w.shape) / 256).astype("float32")
            for w in model.get_weights()
        ]
    )
    tf_rigl.sparsify(model, **{"sparsity": 0.7, **row.sparsify})
    model.compile(keras.optimizers.SGD(2.0**-7, momentum=0.5), _linear)
    if row.prune is not None:
        few = tuple(one[: 2 * _BATCH] for one in data())
        batches = tf.data.Dataset.from_tensor_slices(few).batch(_BATCH)
        tf_rigl.prune(model, data=batches, loss=_curved, **row.prune)
    return model


def data():
    """Integers, one batch a step."""
    random = np.random.RandomState(2)
    inputs = random.randint(-9, 10, (STEPS * _BATCH, *_SHAPE))
    labels = random.randint(-5, 6, (STEPS * _BATCH, _OUTPUTS))
    return inputs.astype("float32"), labels.astype("float32")


def _linear(labels, outputs):
    return tf.reduce_sum(labels * outputs, axis=-1)


def _curved(labels, outputs):
    return tf.reduce_sum(tf.square(outputs - labels), axis=-1)


def _describe(model):
    return {
        path: [int(mask.sum()), cases.digest(mask)]
        for path, mask in tf_rigl.masks(model).items()
    }
