import numpy as np

import tf_rigl
from tests.methods import ranking
from tests.methods import table
from tests.methods.training import KeepsAllValues
from tests.methods.training import momentum_step


class TopKAST(KeepsAllValues):
    """Jayakumar et al., arXiv:2106.03517, section 2."""

    def __init__(
        self, interval, backward_ratio=2.0, regularization=1e-4, stop=None
    ):
        self.interval, self.stop = interval, stop
        self.backward_ratio = backward_ratio
        self.regularization = regularization

    def begin(self, training):
        super().begin(training)
        self.choose(training)

    def choose(self, training):
        """The sets A and B: forward and backward."""
        forward, self.backward = {}, {}
        for path, weight in self.weights.items():
            everything = np.ones_like(weight, bool)
            connections = training.targets[path]
            trained = min(weight.size, round(self.backward_ratio * connections))
            forward[path] = ranking.largest(weight, everything, connections)
            self.backward[path] = ranking.largest(weight, everything, trained)
        self.show(training, forward)

    def step(self, training, batch, step):
        gradients = training.gradients(batch)
        training.descend(gradients)  # The biases'; kernels follow.
        for path, weight in self.weights.items():
            density = training.targets[path] / weight.size
            strength = np.where(training.masks[path], 1.0, 1 / density)
            gradient = gradients[path] + self.regularization * strength * weight
            values, velocity = momentum_step(
                weight, self.velocity[path], gradient
            )
            # Outside B nothing changes, and momentum is lost.
            trained = self.backward[path]
            self.weights[path] = np.where(trained, values, weight)
            self.velocity[path] = np.where(trained, velocity, 0.0)
        stopped = self.stop is not None and step >= self.stop
        if not stopped and step % self.interval == 0:
            self.choose(training)
        else:
            self.show(training, training.masks)


OPTIONS = {"backward_ratio": 1.4, "regularization": 0.01}

CASES = {
    "top_kast": table.from_dense(
        tf_rigl.TopKAST(30, 4, **OPTIONS),
        lambda: TopKAST(4, 1.4, 0.01, stop=30),
    ),
    "top_kast_eager": table.from_dense(
        tf_rigl.TopKAST(30, 4, **OPTIONS),
        lambda: TopKAST(4, 1.4, 0.01, stop=30),
        compiled=False,
    ),
}

WRONG_ORACLES = {"top_kast": lambda: TopKAST(4, 1.4, 0.009, stop=30)}

ROWS = {"top_kast": table.Row(tf_rigl.TopKAST(update_interval=2), table.DENSE)}

REFUSED = [
    ({"backward_ratio": 0.5}, r"`backward_ratio` .*=0\.5"),
    ({"regularization": -1}, r"`regularization` .*=-1"),
]
