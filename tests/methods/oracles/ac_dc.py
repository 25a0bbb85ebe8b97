import numpy as np

import tf_rigl
from tests.methods import conservation
from tests.methods import keeping
from tests.methods import network
from tests.methods import table
from tests.methods.training import Oracle


class ACDC(Oracle):
    """Peste et al., arXiv:2106.12379, algorithm 1: phases take turns.

    A phase begins after the weight update of its first step, where the paper
    has it before. The last to begin, at `stop` or before it, is compressed in
    any case.
    """

    def __init__(self, stop, interval, start=0, scope="weight"):
        self.start, self.stop, self.interval = start, stop, interval
        self.scope = scope

    def step(self, training, batch, step):
        super().step(training, batch, step)
        self.maybe_enter(training, step)

    def maybe_enter(self, training, step):
        phase, since_begin = divmod(step - self.start, self.interval)
        if self.start <= step <= self.stop and since_begin == 0:
            is_last = step + self.interval > self.stop
            self.enter(training, compress=phase % 2 == 0 or is_last)

    def enter(self, training, compress):
        if compress:
            scores = training.values
            keeping.keep_largest(training, scores, training.targets, self.scope)
            return
        for path in network.KERNELS:
            everything = np.ones(network.SHAPES[path], bool)
            training.set_mask(path, everything)


def in_turns(stop, compressed=conservation.each):
    """Dense or compressed, and compressed at the end."""

    def check(masks, step):
        if conservation.counts(masks) != network.SIZES or step >= stop:
            compressed(masks, step)

    return check


def alternating(row, record, step):
    """Compressed and decompressed in turn, compressed at the end."""
    done = table.updates_until(row, step)
    last = done == row.algorithm.schedule.num_updates
    return record.target if done % 2 or last else record.size


CASES = {
    "ac_dc": table.alike(tf_rigl.ACDC, ACDC, in_turns(table.STOP))(
        table.STOP, 5, 6
    ),
    "ac_dc_globally": table.alike(
        tf_rigl.ACDC, ACDC, in_turns(table.STOP, conservation.all_together)
    )(table.STOP, 5, 0, scope="global"),
}

ROWS = {
    "ac_dc": table.Row(
        tf_rigl.ACDC(12, 3, start_step=1), table.DENSE, alternating
    )
}

REFUSED = [({"scope": "both"}, r"`scope` must be one of .*'both'")]
