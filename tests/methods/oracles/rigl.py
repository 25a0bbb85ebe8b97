import collections

import numpy as np

import tf_rigl
from tests.methods import dropping
from tests.methods import network
from tests.methods import table
from tests.methods.training import LEARNING_RATE


class RigL(dropping.DropAndGrow):
    """Evci et al., arXiv:1911.11134, algorithm 1.

    `grown_value(training, path, gradient)` is what new connections begin at,
    `slot_scale` times the gradient their momentum. `skips` says whether a
    batch that updates the masks trains no weight.
    """

    def __init__(
        self,
        *args,
        grown_value=None,
        slot_scale=0.0,
        gradient_steps=1,
        skips=True,
        **kwargs,
    ):
        super().__init__(*args, **kwargs)
        self.grown_value, self.slot_scale = grown_value, slot_scale
        self.skips = skips
        self.recent = collections.deque(maxlen=gradient_steps)

    def step(self, training, batch, step):
        self.recent.append(training.gradients(batch))
        time = next(self.times)
        if time is None or not self.skips:
            training.descend(self.recent[-1])
        if time is None:
            return
        for path in network.KERNELS:
            mean = sum(one[path] for one in self.recent) / len(self.recent)
            self.update(training, path, mean, time)

    def update(self, training, path, gradient, time):
        before = training.masks[path]
        kept = self.keep(training, path, time)
        count = np.count_nonzero(before) - np.count_nonzero(kept)
        training.set_mask(path, dropping.grow(kept, gradient, count))
        new = training.masks[path] & ~before
        if self.grown_value is not None:
            value = self.grown_value(training, path, gradient)
            training.values[path] = np.where(new, value, training.values[path])
        training.velocity[path] = np.where(
            new, self.slot_scale * gradient, training.velocity[path]
        )


def scaled_gradient(scale):
    """New connections begin at a multiple of the gradient."""
    return lambda training, path, gradient: scale * gradient


def initial_value(training, path, gradient):
    """New connections begin at what they had before the network was sparse."""
    del gradient
    return training.initial[path]


def rigl(options=None, oracle=None, **kwargs):
    return table.Case(
        tf_rigl.RigL(**table.DYNAMIC, **(options or {})),
        lambda: RigL(*table.PLAN, **(oracle or {})),
        **kwargs,
    )


CASES = {
    "rigl": rigl(),
    "rigl_eager": rigl(compiled=False),
    # The step 40 updates too: nothing moves then, but no weight is trained.
    "rigl_tf1": rigl(
        {"preset": "tf1", "start_step": 4, "decay": "inverse_power"},
        {
            "times": dropping.tf1_times,
            "start": 4,
            "decay": dropping.inverse_power,
        },
    ),
    "rigl_jaxpruner": rigl(
        {"preset": "jaxpruner", "start_step": 3},
        {
            "times": dropping.jaxpruner_times,
            "start": 3,
            "kept": dropping.round_kept_to_nearest,
        },
    ),
    "rigl_trains_every_batch": rigl(
        {"skip_weight_update": False, "start_step": 3, "decay": "linear"},
        {"skips": False, "start": 3, "decay": dropping.linear},
    ),
    "rigl_grown_gradient": rigl(
        {"grow_init": "gradient", "grow_scale": -0.5, "slot_scale": 0.25},
        {
            "grown_value": scaled_gradient(-0.5),
            # Keras's SGD keeps what it adds to the weight.
            "slot_scale": -LEARNING_RATE * 0.25,
        },
    ),
    "rigl_grown_initial": rigl(
        {"grow_init": "initial"},
        {"grown_value": initial_value},
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
        {"gradient_steps": 3, "start": 4, "grown_value": scaled_gradient(1.0)},
        tolerance=1e-5,
    ),
    "rigl_grown_mean_gradient_at_once": rigl(
        {"gradient_steps": 3, "grow_init": "gradient"},
        {"gradient_steps": 3, "grown_value": scaled_gradient(1.0)},
        tolerance=1e-5,
    ),
    "rigl_itop": table.Case(
        tf_rigl.algorithms.rigl_itop(table.STOP, 6),
        lambda: RigL(table.STOP, 6, 0.5, start=6, skips=False),
    ),
    # Two updates, at 0 and at 24, the second by the mean of 20 of 24 steps.
    "rigl_steady": table.Case(
        tf_rigl.RigL(table.STOP, 24, table.FRACTION, preset="steady"),
        lambda: RigL(table.STOP, 24, table.FRACTION, gradient_steps=20),
        tolerance=1e-5,
    ),
}

WRONG_ORACLES = {
    "rigl_steady": lambda: RigL(table.STOP, 24, table.FRACTION),
    "rigl": lambda: RigL(table.STOP, table.INTERVAL, 0.9 * table.FRACTION),
    "rigl_tf1": lambda: RigL(
        *table.PLAN, start=4, decay=dropping.inverse_power
    ),
    "rigl_grown_mean_gradient": lambda: RigL(
        *table.PLAN, start=4, grown_value=scaled_gradient(1.0)
    ),
}

ROWS = {
    "rigl": table.Row(tf_rigl.RigL(**table.SHORT), part=True),
    "rigl_tf1": table.Row(
        tf_rigl.RigL(**table.SHORT, preset="tf1"), variant=True
    ),
    "rigl_options": table.Row(
        tf_rigl.RigL(
            **table.SHORT,
            preset="jaxpruner",
            grow_init="random",
            slot_scale=0.5,
            drop_noise=1e-3,
            gradient_steps=2,
        )
    ),
    "rigl_bfloat16": table.Row(
        tf_rigl.RigL(
            **table.SHORT, gradient_steps=2, gradient_dtype="bfloat16"
        ),
        variant=True,
    ),
    "rigl_initial": table.Row(
        tf_rigl.RigL(**table.SHORT, grow_init="initial"),
        {"options": tf_rigl.SparsifyOptions(keep_initial_values=True)},
        variant=True,
    ),
    "rigl_shuffled": table.Row(
        tf_rigl.RigL(**table.SHORT, grow_init="shuffled"),
        {"options": tf_rigl.SparsifyOptions(keep_initial_values=True)},
        variant=True,
    ),
    "rigl_block": table.Row(
        tf_rigl.RigL(**table.SHORT, drop_fraction=0.5),
        {"structure": tf_rigl.Block(2, 2)},
        part=True,
    ),
    "rigl_n_by_m": table.Row(
        tf_rigl.RigL(**table.SHORT),
        {
            "structure": tf_rigl.NByM(1, 4),
            "distribution": "uniform",
            "sparsity": 0.75,
        },
    ),
}

REFUSED = [
    ({"gradient_dtype": "float16"}, r"`gradient_dtype` must be one of .*'fl"),
    ({"grow_init": "ones"}, r"`grow_init` must be one of .*'ones'"),
    ({"grow_init": "zero"}, r"`grow_init` must be one of .*'zero'"),
    ({"grow_init": None}, r"`grow_init` must be one of .*None"),
    ({"grow_init": 0}, r"`grow_init` must be one of .*=0"),
    ({"rounding": "up"}, r"`rounding` must be one of .*'up'"),
    ({"drop_noise": -1e-5}, r"`drop_noise` .*at least 0.*=-1e-05"),
    ({"batch_size": 0}, r"`batch_size` must be at least 1.*=0"),
    ({"gradient_steps": 0}, r"`gradient_steps` must be from 1"),
    ({"gradient_steps": 101}, r"=101 with an interval of 100"),
    ({"gradient_steps": 2.5}, r"`gradient_steps` must be an integer.*=2\.5"),
    ({"gradient_steps": True}, r"`gradient_steps` must be an integer.*=True"),
    ({"gradient_steps": "20"}, r"`gradient_steps` must be an integer.*='20'"),
    ({"drop_delay": 1.5}, r"`drop_delay` must be an integer.*=1\.5"),
]
