"""SRigL: RigL with the same number of connections for each unit."""

import math

import numpy as np

from tests.methods import network
from tests.methods import ranking
from tests.methods.dynamic_oracle import cosine
from tests.methods.dynamic_oracle import paper_times
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
        self.times = paper_times(0, stop, interval)

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
            cosine(self.fraction, time / self.stop) * connections
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

        Args:
            salient: how many kept connections and candidates each unit has.
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
