import numpy as np

import tf_rigl
from tests.methods import dropping
from tests.methods import network
from tests.methods import ranking
from tests.methods import table


class SET(dropping.DropAndGrow):
    """Mocanu et al. 2018, with the drop criterion of arXiv:1911.11134."""

    def __init__(self, *args, seed=0, **kwargs):
        super().__init__(*args, **kwargs)
        self.seed = seed

    def step(self, training, batch, step):
        training.descend(training.gradients(batch))
        time = next(self.times)
        if time is None:
            return
        for path in network.KERNELS:
            kept = self.keep(training, path, time)
            count = np.count_nonzero(training.masks[path] & ~kept)
            scores = ranking.random(kept.shape, path, step, self.seed)
            training.set_mask(path, dropping.grow(kept, scores, count))


CASES = {
    "set": table.Case(
        tf_rigl.SET(**table.DYNAMIC, decay="constant", seed=5),
        lambda: SET(*table.PLAN, decay=dropping.constant, seed=5),
    ),
    "set_itop": table.Case(
        tf_rigl.algorithms.set_itop(table.STOP, 6, seed=5),
        lambda: SET(table.STOP, 6, 0.5, start=6, seed=5),
    ),
}

WRONG_ORACLES = {"set": lambda: SET(*table.PLAN, decay=dropping.constant)}

ROWS = {"set": table.Row(tf_rigl.SET(**table.SHORT))}

REFUSED = [
    ({"drop_fraction": 2}, r"`drop_fraction` .* in \[0, 1\].*=2"),
    ({"decay": "slow"}, r"`decay` must be one of .*'slow'"),
]
