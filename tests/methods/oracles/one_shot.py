import tf_rigl
from tests.methods import conservation
from tests.methods import keeping
from tests.methods import table
from tests.methods.training import Oracle


class OneShot(Oracle):
    """Han et al., arXiv:1506.02626, with a count instead of a threshold."""

    def __init__(self, at, criterion="magnitude", scope="weight", seed=0):
        self.at = at
        self.criterion, self.scope, self.seed = criterion, scope, seed

    def step(self, training, batch, step):
        super().step(training, batch, step)
        if step == self.at:
            scores = keeping.criterion_scores(
                self.criterion, training.values, step, self.seed
            )
            keeping.keep_largest(training, scores, training.targets, self.scope)


CASES = {
    "one_shot": table.from_dense(
        tf_rigl.OneShot(7), lambda: OneShot(7), conservation.dense_before(7)
    ),
    "one_shot_globally": table.from_dense(
        tf_rigl.OneShot(7, scope="global"),
        lambda: OneShot(7, scope="global"),
        conservation.dense_before(7, conservation.all_together),
    ),
    "one_shot_globally_normalized": table.from_dense(
        tf_rigl.OneShot(7, "normalized_magnitude", "global"),
        lambda: OneShot(7, "normalized_magnitude", "global"),
        conservation.dense_before(7, conservation.all_together),
    ),
}

WRONG_ORACLES = {"one_shot_globally": lambda: OneShot(7)}

ROWS = {
    "one_shot": table.Row(
        tf_rigl.OneShot(4),
        table.DENSE,
        table.dense_until(4),
        moves=False,
        part=True,
    )
}

REFUSED = [
    ({"criterion": "l2"}, r"`criterion` must be one of .*'l2'"),
    ({"step": -1}, r"`start_step` must be at least 0"),
]
