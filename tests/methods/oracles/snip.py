import functools

import tf_rigl
from tests.methods import conservation
from tests.methods import keeping
from tests.methods import network
from tests.methods import table
from tests.methods.training import Oracle


class SNIP(Oracle):
    """Lee et al., arXiv:1810.02340, algorithm 1."""

    def __init__(self, batches=1, scope="global"):
        self.batches, self.scope = batches, scope
        self.total = dict.fromkeys(network.KERNELS, 0.0)

    def step(self, training, batch, step):
        if step >= self.batches:
            super().step(training, batch, step)
            return
        gradients = training.gradients(batch)
        for path in network.KERNELS:
            self.total[path] = self.total[path] + gradients[path]
        if step == self.batches - 1:
            sensitivity = {
                path: self.total[path] * training.values[path]
                for path in network.KERNELS
            }
            keeping.keep_largest(
                training, sensitivity, training.targets, self.scope
            )


snip = functools.partial(table.alike, tf_rigl.SNIP, SNIP)
CASES = {
    "snip": snip(conservation.dense_before(0, conservation.all_together))(),
    "snip_three_batches": snip(
        conservation.dense_before(2, conservation.all_together)
    )(batches=3),
    "snip_of_each_weight": snip(conservation.dense_before(2))(
        batches=3, scope="weight"
    ),
}

WRONG_ORACLES = {"snip_of_each_weight": lambda: SNIP(3)}

ROWS = {
    "snip": table.Row(
        tf_rigl.SNIP(),
        table.DENSE,
        table.dense_until(0),
        over_all=True,
        moves=False,
    ),
    "snip_weight": table.Row(
        tf_rigl.SNIP(batches=3, scope="weight"),
        table.DENSE,
        table.dense_until(2),
        moves=False,
        variant=True,
    ),
}

REFUSED = [
    ({"batches": 0}, r"`batches` must be at least 1.*=0"),
    ({"scope": "layer"}, r"`scope` must be one of .*'layer'"),
]
