import numpy as np

import tf_rigl
from tests.methods import table
from tests.methods.training import KeepsAllValues
from tests.methods.training import momentum_step
from tf_rigl.core import random_masks


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


class Supermask(KeepsAllValues):
    """Zhou et al., arXiv:1905.01067, section 5."""

    def __init__(
        self, initial_logit=None, rescale=False, train_others=False, seed=0
    ):
        self.initial_logit, self.rescale = initial_logit, rescale
        self.trains_others, self.seed = train_others, seed

    def begin(self, training):
        super().begin(training)
        self.initial = dict(self.weights)
        self.logits = {}
        for path, weight in self.weights.items():
            logit = self.initial_logit
            if logit is None:
                density = training.targets[path] / weight.size
                logit = np.log(density / (1 - density))
            self.logits[path] = np.full(weight.shape, logit)
        self.choose(training, 0)

    def choose(self, training, number):
        masks = {}
        for path, logits in self.logits.items():
            masks[path] = self.dice(path, logits.shape, number) < sigmoid(
                logits
            )
            self.weights[path] = self.initial[path] * self.factor(masks[path])
        self.show(training, masks)

    def dice(self, path, shape, number):
        """Uniform in [0, 1); the draw is the library's."""
        seed = random_masks.stateless_seed(self.seed, path, number)
        return random_masks.random_bits(shape, seed).numpy() / (2**31 - 1)

    def factor(self, mask):
        return mask.size / mask.sum() if self.rescale else 1.0

    def step(self, training, batch, step):
        gradients = training.gradients(batch)
        for path, logits in self.logits.items():
            odds = sigmoid(logits)
            gradient = gradients[path] * self.weights[path] * odds * (1 - odds)
            self.logits[path], self.velocity[path] = momentum_step(
                logits, self.velocity[path], gradient
            )
        if self.trains_others:
            self.train_others(training, gradients)
        self.choose(training, step + 1)


def anything(masks, step):
    """Connections come and go."""
    del masks, step


supermask = table.alike(tf_rigl.Supermask, Supermask, anything)
CASES = {
    "supermask": supermask(),
    # The factor is rounded to float32.
    "supermask_rescaled": table.from_dense(
        tf_rigl.Supermask(initial_logit=1.0, rescale=True, seed=2),
        lambda: Supermask(initial_logit=1.0, rescale=True, seed=2),
        anything,
        tolerance=1e-5,
    ),
    "supermask_with_biases": table.alike(
        tf_rigl.Supermask, Supermask, anything, compiled=False
    )(train_others=True),
}

WRONG_ORACLES = {
    "supermask_rescaled": lambda: Supermask(initial_logit=1.0, seed=2),
    "supermask": lambda: Supermask(initial_logit=-0.4),
}

ROWS = {
    "supermask": table.Row(
        tf_rigl.Supermask(), table.DENSE, connections=table.as_drawn
    ),
    "supermask_rescaled": table.Row(
        tf_rigl.Supermask(rescale=True),
        table.DENSE,
        connections=table.as_drawn,
        variant=True,
    ),
}

REFUSED = [
    ({"initial_logit": float("inf")}, r"`initial_logit` must be a finite.*inf"),
]
