import numpy as np

import tf_rigl
from tests.methods import dropping
from tests.methods import network
from tests.methods import ranking
from tests.methods import table
from tests.methods.oracles import gradual_pruning


class GraNet(dropping.DropAndGrow):
    """Liu et al., arXiv:2106.10404, algorithm 1."""

    def __init__(
        self,
        stop,
        interval,
        fraction,
        pruned_at=24,
        start=0,
        initial_sparsity=0,
        scope="global",
    ):
        super().__init__(stop, interval, fraction, start)
        self.pruning = gradual_pruning.GradualPruning(
            pruned_at, interval, start, initial_sparsity
        )
        self.scope = scope

    def step(self, training, batch, step):
        gradients = training.gradients(batch)
        training.descend(gradients)
        time = next(self.times)
        if time is None:
            return
        pruned = self.prune(training, step)
        for path, mask in pruned.items():
            left = np.count_nonzero(mask)
            kept_count = self.kept(
                left, self.decay(self.fraction, time / self.stop)
            )
            kept = ranking.largest(training.values[path], mask, kept_count)
            training.set_mask(
                path, dropping.grow(kept, gradients[path], left - kept_count)
            )

    def prune(self, training, step):
        counts = {
            path: self.pruning.connections(path, target, step)
            for path, target in training.targets.items()
        }
        values = [training.values[path] for path in network.KERNELS]
        masks = [training.masks[path] for path in network.KERNELS]
        if self.scope == "global":
            total = sum(counts.values())
            masks = ranking.largest_of_all(values, masks, total)
            return dict(zip(network.KERNELS, masks, strict=True))
        return {
            path: ranking.largest(value, mask, counts[path])
            for path, value, mask in zip(
                network.KERNELS, values, masks, strict=True
            )
        }


CASES = {
    # Updates at 0, 4, ... 36; two thirds of 40 steps are over after 24.
    "granet": table.from_dense(
        tf_rigl.GraNet(**table.DYNAMIC),
        lambda: GraNet(*table.PLAN),
        gradual_pruning.along_polynomial(24, table.INTERVAL, scope="global"),
    ),
    # Updates at 3, 9, ... 39; half of 37 steps are over after 21.
    "granet_of_each": table.from_dense(
        tf_rigl.GraNet(
            table.STOP,
            6,
            start_step=3,
            initial_sparsity=0.25,
            pruning_share=0.5,
            scope="weight",
        ),
        lambda: GraNet(table.STOP, 6, 0.5, 21, 3, 0.25, "weight"),
        gradual_pruning.along_polynomial(21, 6, 3, 0.25),
    ),
}

WRONG_ORACLES = {"granet": lambda: GraNet(*table.PLAN, pruned_at=28)}

ROWS = {
    "granet": table.Row(
        tf_rigl.GraNet(12, 3),
        table.DENSE,
        gradual_pruning.gradual,
        over_all=True,
        # Global pruning and RigL compile its two parts.
        part=True,
    ),
    "granet_block": table.Row(
        tf_rigl.GraNet(12, 3, scope="weight", pruning_share=0.0),
        {**table.DENSE, "structure": tf_rigl.Block(2, 2)},
        table.dense_until(0),
        variant=True,
    ),
}

REFUSED = [
    ({"stop_step": "never"}, r"Pruning must end.*'never'"),
    ({"initial_sparsity": 1.0}, r"`initial_sparsity` is .* in \[0, 1\).*=1\.0"),
    ({"pruning_share": 1.5}, r"`pruning_share` .* in \[0, 1\].*=1\.5"),
    ({"scope": "layer"}, r"`scope` must be one of .*'layer'"),
]
