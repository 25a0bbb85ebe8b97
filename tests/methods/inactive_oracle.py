"""STE, DNW and Top-KAST: masked positions keep values that are trained."""

import numpy as np

from tests.methods import network
from tests.methods import ranking
from tests.methods.pruning_oracle import criterion_scores
from tests.methods.pruning_oracle import keep_largest
from tests.methods.training import Oracle
from tests.methods.training import momentum_step


class _KeepsAllValues(Oracle):
    """Kernels of which the network sees only the connections."""

    def begin(self, training):
        self.weights = {path: training.values[path] for path in network.KERNELS}
        self.velocity = {
            path: np.zeros_like(weight) for path, weight in self.weights.items()
        }

    def show(self, training, masks):
        """Lets the network see what is connected."""
        training.masks = masks
        for path, mask in masks.items():
            training.values[path] = np.where(mask, self.weights[path], 0.0)
            training.velocity[path] = self.velocity[path]


class STE(_KeepsAllValues):
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
        scores = criterion_scores(self.criterion, self.weights, step, self.seed)
        everything = {
            path: np.ones_like(weight, bool)
            for path, weight in self.weights.items()
        }
        keep_largest(training, scores, training.targets, self.scope, everything)
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


class TopKAST(_KeepsAllValues):
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
