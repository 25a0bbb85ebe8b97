import numpy as np

import tf_rigl
from tests.methods import conservation
from tests.methods import keeping
from tests.methods import table
from tests.methods.training import KeepsAllValues
from tests.methods.training import momentum_step
from tf_rigl.core import random_masks


class EdgePopup(KeepsAllValues):
    """Ramanujan et al., arXiv:1911.13299, section 3."""

    def __init__(self, weight_decay=0.0, train_others=False, seed=0):
        self.weight_decay, self.seed = weight_decay, seed
        self.trains_others = train_others

    def begin(self, training):
        super().begin(training)
        self.scores = {
            path: self.first_scores(path, weight.shape)
            for path, weight in self.weights.items()
        }
        self.choose(training)

    def first_scores(self, path, shape):
        """Uniform in ±1 / √fan-in; the draw is the library's."""
        seed = random_masks.stateless_seed(self.seed, path)
        uniform = random_masks.random_uniform(shape, seed).numpy()
        return uniform.astype(np.float64) / np.sqrt(shape[0])

    def choose(self, training):
        everything = {
            path: np.ones_like(weight, bool)
            for path, weight in self.weights.items()
        }
        keeping.keep_largest(
            training, self.scores, training.targets, "weight", everything
        )
        self.show(training, training.masks)

    def step(self, training, batch, step):
        gradients = training.gradients(batch)
        for path, scores in self.scores.items():
            gradient = gradients[path] * self.weights[path] * np.sign(scores)
            gradient += self.weight_decay * scores
            self.scores[path], self.velocity[path] = momentum_step(
                scores, self.velocity[path], gradient
            )
        if self.trains_others:
            self.train_others(training, gradients)
        self.choose(training)


edge_popup = table.alike(tf_rigl.EdgePopup, EdgePopup, conservation.each)
CASES = {
    "edge_popup": edge_popup(),
    "edge_popup_with_decay": edge_popup(weight_decay=0.05, seed=3),
    "edge_popup_with_biases": table.alike(
        tf_rigl.EdgePopup, EdgePopup, compiled=False
    )(train_others=True),
}

WRONG_ORACLES = {
    "edge_popup_with_decay": lambda: EdgePopup(weight_decay=0.051, seed=3),
    "edge_popup_with_biases": EdgePopup,
}

ROWS = {"edge_popup": table.Row(tf_rigl.EdgePopup(), table.DENSE)}

REFUSED = [({"weight_decay": -1}, r"`weight_decay` must be at least 0.*=-1")]
