"""What an early-bird search saves, in training FLOPs."""

import dataclasses

from tf_rigl.accounting import model_profile
from tf_rigl.accounting.training_flops import training_flops
from tf_rigl.core import checks
from tf_rigl.core import text_table

_PETA = 1e15
_HEADER = ("way", "search", "retraining", "PFLOPs", "dense trainings")
_CONVENTION = (
    "PFLOPs: 10^15 floating point operations of all forward and backward "
    "passes over all examples, 6 for each multiply-accumulate."
)
# Zeros of a cubic schedule that prunes from the first to the last step, of the
# final ones: the mean of 1 - (1 - t)^3.
_CUBIC = 0.75


@dataclasses.dataclass(frozen=True)
class WayFlops:
    """The training FLOPs of one way to a pruned network.

    Attributes:
        name: the way.
        search: FLOPs until the channels are chosen.
        retraining: FLOPs of the network that is left.
    """

    name: str
    search: float
    retraining: float

    @property
    def flops(self) -> float:
        """FLOPs of both."""
        return self.search + self.retraining


@dataclasses.dataclass(frozen=True)
class EarlyBirdFlops:
    """The training FLOPs of the ways to a pruned network; `str()` is a table.

    Attributes:
        dense: the large network, trained for all epochs.
        early_bird: the large network up to the epoch of the ticket, the small
            one for the epochs that are left.
        reinitialized: the same search, and the small network for all epochs.
        full_search: the large network for all epochs, then the small one: a
            ticket drawn at the end, or network slimming with fine-tuning.
        progressive: a network that is pruned while it is trained for all
            epochs, then the small one.
        is_lower_bound: whether a profile has layers that are not counted.
    """

    dense: WayFlops
    early_bird: WayFlops
    reinitialized: WayFlops
    full_search: WayFlops
    progressive: WayFlops
    is_lower_bound: bool = False

    @property
    def rows(self) -> tuple[WayFlops, ...]:
        """All ways."""
        return (
            self.dense,
            self.early_bird,
            self.reinitialized,
            self.full_search,
            self.progressive,
        )

    def __str__(self) -> str:
        body = [
            (
                row.name,
                *(
                    f"{flops / _PETA:,.4g}"
                    for flops in (row.search, row.retraining, row.flops)
                ),
                f"{row.flops / self.dense.flops:.2f}",
            )
            for row in self.rows
        ]
        lines = text_table.aligned(_HEADER, body)
        lines += ["", text_table.paragraph(_CONVENTION)]
        if self.is_lower_bound:
            lines.append("Lower bounds, since some layers are not counted.")
        return "\n".join(lines)


def early_bird_flops(
    large: model_profile.ModelProfile,
    small: model_profile.ModelProfile,
    examples: int,
    epochs: int,
    ticket_epoch: int,
    retrain_epochs: int | None = None,
    pruned_fraction: float = _CUBIC,
) -> EarlyBirdFlops:
    """Counts what finding a ticket early saves against other ways.

    Both networks count as dense ones: what is pruned is cut out. Choosing
    channels and measuring distances of masks do not count.

    Args:
        large: costs of the network before, `tf_rigl.profile(model)`.
        small: costs of the network that is left.
        examples: training examples in an epoch.
        epochs: epochs of a training of the large network.
        ticket_epoch: the epoch before which the ticket was found, `epoch` of a
            `tf_rigl.EarlyBird`, at most `epochs`.
        retrain_epochs: epochs of the small network after a full search or
            progressive pruning; by default `epochs`.
        pruned_fraction: the fraction of the pruned FLOPs that progressive
            pruning leaves out, averaged over its epochs, in [0, 1]; by default
            that of a cubic schedule over all of them.

    Returns:
        FLOPs of each way; `str()` makes a table in PFLOPs and in dense
        trainings.

    Raises:
        TypeError: if a number of examples or epochs is not an integer.
        ValueError: if it is below 1, the ticket lies outside of the training,
            the fraction is not in [0, 1], or the large network has no FLOPs.

    Example:
        >>> large, small = tf_rigl.profile(model), tf_rigl.profile(pruned)
        >>> print(early_bird_flops(large, small, 50_000, 160, ticket.epoch))

    Reference: You et al., "Drawing Early-Bird Tickets", ICLR 2020,
    arXiv:1909.11957, tables 2 and 3, which counts 6 FLOPs for each MAC, too.
    """
    if retrain_epochs is None:
        retrain_epochs = epochs
    checks.check_positive("examples", examples)
    checks.check_positive("epochs", epochs)
    checks.check_positive("retrain_epochs", retrain_epochs)
    if not 0 <= ticket_epoch <= epochs:
        raise ValueError(
            "A ticket is found within the epochs of a training. Received: "
            f"ticket_epoch={ticket_epoch}, epochs={epochs}."
        )
    if not large.dense_flops:
        raise ValueError(
            "A network must have FLOPs to be trained. Received: profile of "
            f"{large.name!r} with dense_flops=0."
        )

    f_large, f_small = large.dense_flops, small.dense_flops
    dense = examples * training_flops("dense", f_large, f_large)
    pruned = examples * training_flops("dense", f_small, f_small)
    gradual = examples * training_flops(
        "pruning", f_small, f_large, pruned_fraction=pruned_fraction
    )
    found = ticket_epoch * dense
    return EarlyBirdFlops(
        dense=WayFlops("dense", 0.0, epochs * dense),
        early_bird=WayFlops(
            "early-bird", found, (epochs - ticket_epoch) * pruned
        ),
        reinitialized=WayFlops("reinitialized", found, epochs * pruned),
        full_search=WayFlops(
            "full search", epochs * dense, retrain_epochs * pruned
        ),
        progressive=WayFlops(
            "progressive", epochs * gradual, retrain_epochs * pruned
        ),
        is_lower_bound=bool(large.uncounted or small.uncounted),
    )
