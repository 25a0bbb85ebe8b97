from tests.methods import network
from tests.methods.lockstep import TARGETS


def counts(masks):
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
