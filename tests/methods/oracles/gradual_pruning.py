import fractions

import tf_rigl
from tests.methods import conservation
from tests.methods import keeping
from tests.methods import network
from tests.methods import table
from tests.methods.lockstep import TARGETS
from tests.methods.training import Oracle


class GradualPruning(Oracle):
    """Zhu and Gupta, arXiv:1710.01878, equation 1."""

    def __init__(
        self,
        stop,
        interval,
        start=0,
        initial_sparsity=0,
        power=3,
        criterion="magnitude",
        scope="weight",
        reach_target=True,
        seed=0,
    ):
        self.start, self.stop, self.interval = start, stop, interval
        self.initial_sparsity = fractions.Fraction(initial_sparsity)
        self.power, self.reach_target = power, reach_target
        self.criterion, self.scope, self.seed = criterion, scope, seed

    def step(self, training, batch, step):
        super().step(training, batch, step)
        since_start = step - self.start
        if not (self.start <= step <= self.stop):
            return
        if since_start % self.interval:
            return
        scores = keeping.criterion_scores(
            self.criterion, training.values, step, self.seed
        )
        counts = {
            path: self.connections(path, target, step)
            for path, target in training.targets.items()
        }
        keeping.keep_largest(training, scores, counts, self.scope)

    def connections(self, path, target, step):
        size = network.SIZES[path]
        if step < self.start:
            return size
        step = min(step, self.stop)
        step -= (step - self.start) % self.interval
        if self.reach_target and step + self.interval > self.stop:
            return target
        final = 1 - fractions.Fraction(target, size)
        left = 1 - fractions.Fraction(step - self.start, self.stop - self.start)
        gap = self.initial_sparsity - final
        return max(1, round(size * (1 - final - gap * left**self.power)))


def along_polynomial(*args, **kwargs):
    """Gradual pruning has the numbers of its schedule."""
    schedule = GradualPruning(*args, **kwargs)

    def check(masks, step):
        expected = {
            path: schedule.connections(path, target, step)
            for path, target in TARGETS.items()
        }
        if schedule.scope == "global":
            expected = sum(expected.values())
            assert sum(conservation.counts(masks).values()) == expected
        else:
            assert conservation.counts(masks) == expected

    return check


def gradual(row, record, step):
    """On the polynomial of the schedule."""
    done = table.updates_until(row, step)
    if not done:
        return record.size
    return int(row.algorithm.connections(record.size, record.target)[done - 1])


def pruning(*args, compiled=True, **kwargs):
    """A case whose connections are those of its schedule."""
    conserves = along_polynomial(*args, **kwargs)
    make = table.alike(
        tf_rigl.GradualPruning, GradualPruning, conserves, compiled
    )
    return make(*args, **kwargs)


CASES = {
    "pruning": pruning(table.STOP, table.INTERVAL),
    # The interval divides nothing here and in the next row.
    "pruning_globally": pruning(
        table.STOP, 6, 3, 0.25, scope="global", compiled=False
    ),
    "random_pruning": pruning(
        table.STOP, 6, 3, criterion="random", reach_target=False, seed=5
    ),
    "random_pruning_globally": pruning(
        table.STOP, table.INTERVAL, criterion="random", scope="global"
    ),
}

WRONG_ORACLES = {
    "pruning": lambda: GradualPruning(table.STOP, table.INTERVAL, power=2.7)
}

ROWS = {
    "pruning": table.Row(
        tf_rigl.GradualPruning(12, 3, start_step=2),
        table.DENSE,
        gradual,
        part=True,
    ),
    "pruning_global": table.Row(
        tf_rigl.GradualPruning(12, 3, scope="global"),
        table.DENSE,
        gradual,
        over_all=True,
    ),
    "pruning_random": table.Row(
        tf_rigl.GradualPruning(12, 3, criterion="random"),
        table.DENSE,
        gradual,
        variant=True,
    ),
    "pruning_channel": table.Row(
        tf_rigl.GradualPruning(0, 3),
        {**table.DENSE, "structure": tf_rigl.Channel()},
        table.dense_until(0),
        moves=False,
        variant=True,
    ),
}

REFUSED = [
    ({"initial_sparsity": 1.0}, r"`initial_sparsity` is .* in \[0, 1\).*=1\.0"),
    ({"power": 0}, r"`power` must be greater than 0.*=0"),
    ({"criterion": "saliency"}, r"`criterion` must be one of .*'saliency'"),
]
