import math

import numpy as np

import tf_rigl
from tests.methods import dropping
from tests.methods import network
from tests.methods import ranking
from tests.methods import table
from tests.methods.lockstep import TARGETS
from tests.methods.training import Oracle


class SRigL(Oracle):
    """Lasby et al., arXiv:2305.02299, section 3.1.

    Kernels are [inputs, units]; a unit is a column.
    """

    def __init__(
        self, stop, interval, fraction, ablation_threshold=0.3, never_ablate=()
    ):
        self.stop, self.fraction = stop, fraction
        self.ablation_threshold = ablation_threshold
        self.never_ablate = never_ablate
        self.times = dropping.paper_times(0, stop, interval)

    def targets(self, allotted):
        """The same number for each unit, rounded down."""
        return {
            path: count // network.SHAPES[path][1] * network.SHAPES[path][1]
            for path, count in allotted.items()
        }

    def step(self, training, batch, step):
        gradients = training.gradients(batch)
        time = next(self.times)
        if time is None:
            training.descend(gradients)
            return
        for path in network.KERNELS:
            self.update(training, path, gradients[path], time)

    def update(self, training, path, gradient, time):
        values, mask = training.values[path], training.masks[path]
        connections = np.count_nonzero(mask)
        moved = math.floor(
            dropping.cosine(self.fraction, time / self.stop) * connections
        )
        kept = ranking.largest(values, mask, connections - moved)
        candidates = ranking.largest(gradient, ~kept, moved)
        remaining = self.remaining_units(
            training, path, (kept | candidates).sum(axis=0)
        )
        inputs = mask.shape[0]
        fan_in = min(inputs, training.targets[path] // len(remaining))
        new = np.zeros_like(mask)
        for unit in remaining:
            new[:, unit] = fill_unit(
                values[:, unit], kept[:, unit], gradient[:, unit], fan_in
            )
        training.set_mask(path, new)

    def remaining_units(self, training, path, salient):
        """The units that are not ablated.

        `salient` counts kept connections and candidates of each unit.
        """
        mask = training.masks[path]
        inputs, units = mask.shape
        if self.ablation_threshold is None or path in self.never_ablate:
            return np.arange(units)
        fan_in = mask.sum(axis=0).max()
        needed = max(1, math.floor(self.ablation_threshold * fan_in))
        fewest = math.ceil(training.targets[path] / inputs)
        # Were too few left, the most salient would stay.
        order = np.argsort(-salient, kind="stable")
        enough = np.count_nonzero(salient >= needed)
        return np.sort(order[: max(enough, fewest)])


def fill_unit(values, kept, gradient, fan_in):
    """One unit's new connections: its largest kept, then the gradient's."""
    kept = ranking.largest(values, kept, min(fan_in, np.count_nonzero(kept)))
    missing = fan_in - np.count_nonzero(kept)
    return kept | ranking.largest(gradient, ~kept, missing)


def fan_in(masks, step):
    """Units have one fan-in or none; the target is missed by less than a unit.

    The target itself is what was allotted, rounded down to equal units.
    """
    for path, mask in masks.items():
        of_units = mask.sum(axis=0)
        remaining = np.count_nonzero(of_units)
        assert set(of_units.tolist()) <= {0, of_units.max()}, (path, step)
        target = TARGETS[path] // mask.shape[1] * mask.shape[1]
        assert 0 <= target - of_units.sum() < remaining, (path, step)


def srigl(ablation_threshold, never_ablate=()):
    return table.Case(
        tf_rigl.SRigL(
            **table.DYNAMIC,
            ablation_threshold=ablation_threshold,
            never_ablate=never_ablate,
        ),
        lambda: SRigL(*table.PLAN, ablation_threshold, never_ablate),
        fan_in,
        {"structure": tf_rigl.ConstantFanIn()},
    )


CASES = {
    # At the paper's threshold of 0.3 this network would lose no unit.
    "srigl": srigl(0.8),
    "srigl_keeping_outputs": srigl(0.9, ("outputs/kernel",)),
    "srigl_without_ablation": srigl(None),
}

WRONG_ORACLES = {"srigl": lambda: SRigL(*table.PLAN, 0.7)}

ROWS = {
    "srigl": table.Row(
        tf_rigl.SRigL(**table.SHORT, ablation_threshold=None),
        {"structure": tf_rigl.ConstantFanIn()},
    )
}

REFUSED = [
    ({"ablation_threshold": -1}, r"`ablation_threshold` .* in \[0, 1\].*=-1")
]
