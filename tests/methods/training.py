"""Sparse training with momentum: what all oracles do alike."""

import dataclasses

import numpy as np

from tests.methods import network

# Exact in float32, in which Keras keeps the learning rate.
LEARNING_RATE, MOMENTUM = 0.125, 0.875


@dataclasses.dataclass
class Training:
    """Everything that a step changes, by the path of the weight.

    Masked positions are zero in `values` and in `velocity`. So a connection
    that is new begins at zero with a momentum of zero, and one that an update
    drops and grows again keeps both.
    """

    values: dict[str, np.ndarray]
    velocity: dict[str, np.ndarray]
    masks: dict[str, np.ndarray]  # bool, of the kernels only
    targets: dict[str, int]  # connections that were allotted to each kernel
    initial: dict[str, np.ndarray]  # values before anything was masked

    def gradients(self, batch):
        return network.gradients(self.values, *batch)

    def descend(self, gradients):
        """One step that trains the connections and all biases."""
        for path, gradient in gradients.items():
            if path in self.masks:
                gradient = np.where(self.masks[path], gradient, 0.0)
            self.values[path], self.velocity[path] = momentum_step(
                self.values[path], self.velocity[path], gradient
            )

    def set_mask(self, path, mask):
        self.masks[path] = mask
        self.values[path] = np.where(mask, self.values[path], 0.0)
        self.velocity[path] = np.where(mask, self.velocity[path], 0.0)


def begin(initial, masks, targets):
    """Training before its first step."""
    training = Training(
        dict(initial),
        {path: np.zeros_like(value) for path, value in initial.items()},
        {},
        targets,
        initial,
    )
    for path, mask in masks.items():
        training.set_mask(path, mask)
    return training


def momentum_step(values, velocity, gradient):
    velocity = MOMENTUM * velocity - LEARNING_RATE * gradient
    return values + velocity, velocity


class Oracle:
    """A method as its paper describes it: what happens to each batch.

    The base class trains the masks as they are; that is static training.
    """

    def targets(self, allotted):
        """The connections of each kernel, from those that it is allotted."""
        return allotted

    def begin(self, training):
        """Before the first batch."""

    def step(self, training, batch, step):
        """All of one step, numbered from 0."""
        training.descend(training.gradients(batch))


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

    def train_others(self, training, gradients):
        """A step of all weights but the kernels."""
        for path in network.SHAPES.keys() - set(network.KERNELS):
            training.values[path], training.velocity[path] = momentum_step(
                training.values[path],
                training.velocity[path],
                gradients[path],
            )
