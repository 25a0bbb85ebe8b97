import numpy as np

import tf_rigl
from tests.methods import conservation
from tests.methods import keeping
from tests.methods import network
from tests.methods import table
from tests.methods.training import KeepsAllValues
from tests.methods.training import momentum_step


class STE(KeepsAllValues):
    """The straight-through estimator, arXiv:1308.3432; ste_* of jaxpruner."""

    def __init__(
        self, interval=1, criterion="magnitude", scope="weight", seed=0
    ):
        self.interval = interval
        self.criterion, self.scope, self.seed = criterion, scope, seed

    def begin(self, training):
        super().begin(training)
        self.choose(training, 0)

    def choose(self, training, step):
        scores = keeping.criterion_scores(
            self.criterion, self.weights, step, self.seed
        )
        everything = {
            path: np.ones_like(weight, bool)
            for path, weight in self.weights.items()
        }
        keeping.keep_largest(
            training, scores, training.targets, self.scope, everything
        )
        self.show(training, training.masks)

    def step(self, training, batch, step):
        gradients = training.gradients(batch)
        training.descend(gradients)  # The biases'; kernels follow.
        for path in network.KERNELS:
            self.weights[path], self.velocity[path] = momentum_step(
                self.weights[path], self.velocity[path], gradients[path]
            )
        # The update of a step follows its weight update, also at step 0.
        if step % self.interval == 0:
            self.choose(training, step)
        else:
            self.show(training, training.masks)


CASES = {
    "ste": table.from_dense(tf_rigl.STE(), STE),
    "ste_eager": table.from_dense(tf_rigl.STE(), STE, compiled=False),
    "ste_globally": table.from_dense(
        tf_rigl.STE(scope="global"),
        lambda: STE(scope="global"),
        conservation.all_together,
    ),
    "ste_at_random": table.from_dense(
        tf_rigl.STE(3, criterion="random", seed=5),
        lambda: STE(3, criterion="random", seed=5),
    ),
}

WRONG_ORACLES = {"ste_globally": STE}

ROWS = {
    "ste": table.Row(tf_rigl.STE(update_interval=2), table.DENSE, part=True),
    "ste_global": table.Row(
        tf_rigl.STE(scope="global"), table.DENSE, over_all=True
    ),
}

REFUSED = [({"update_interval": 0}, r"`update_interval` must be at least")]
