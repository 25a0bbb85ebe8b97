"""What masks have in common after every step, whatever they are."""

import numpy as np

from tests.methods import network
from tests.methods import pruning_oracle
from tests.methods.lockstep import TARGETS


def counts(masks):
    """Connections by weight."""
    return {path: int(mask.sum()) for path, mask in masks.items()}


def each(masks, step):
    """Each weight has what was allotted to it."""
    del step
    assert counts(masks) == TARGETS


def all_together(masks, step):
    """The network has what was allotted to it, however it is spread."""
    del step
    assert sum(counts(masks).values()) == sum(TARGETS.values())


def dense_before(pruned, then=each):
    """Nothing is masked until the end of step `pruned`."""

    def check(masks, step):
        if step < pruned:
            assert counts(masks) == network.SIZES
        else:
            then(masks, step)

    return check


def in_turns(stop, compressed=each):
    """Dense or compressed, and compressed at the end."""

    def check(masks, step):
        if counts(masks) != network.SIZES or step >= stop:
            compressed(masks, step)

    return check


def along_polynomial(*args, together=False, **kwargs):
    """Gradual pruning has the numbers of its schedule."""
    schedule = pruning_oracle.GradualPruning(*args, **kwargs)

    def check(masks, step):
        expected = {
            path: schedule.connections(path, target, step)
            for path, target in TARGETS.items()
        }
        if together:
            expected = sum(expected.values())
            assert sum(counts(masks).values()) == expected
        else:
            assert counts(masks) == expected

    return check


def fan_in(masks, step):
    """Units have one fan-in or none; the target is missed by less than a unit.

    The target itself is what was allotted, rounded down to equal units.
    """
    for path, mask in masks.items():
        of_units = mask.sum(axis=0)
        remaining = np.count_nonzero(of_units)
        assert set(of_units.tolist()) <= {0, of_units.max()}, (path, step)
        target = TARGETS[path] // mask.shape[1] * mask.shape[1]
        assert 0 <= target - of_units.sum() < remaining, (path, step)
