"""What the oracles of methods share that train inactive values, too."""

import numpy as np

from tests.methods import network
from tests.methods.training import Oracle


class KeepsAllValues(Oracle):
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
