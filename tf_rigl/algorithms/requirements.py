"""Needs of a method towards the training around it, as one value."""

import dataclasses
from typing import Literal

# The state that holds the values of all positions, for methods that train
# those outside the mask, too.
INACTIVE_VALUES = "inactive_values"


@dataclasses.dataclass(frozen=True)
class Requirements:
    """Needs of a method; a method states those in which it differs.

    Attributes:
        start: masks that it begins with: `"random"` ones, `"dense"` (all
            connections), or `"any"`.
        structures: names of the structures that it can keep; None for all.
        dense_gradient_steps: in how many of the ΔT + 1 batches of an interval
            it looks at the gradient outside the mask: a number, or `"all"`.
            Training FLOPs follow from it, and a storage that has no dense
            gradient needs to make one in these steps only.
        prunes_during_training: whether weights have more connections than
            allotted until some step of the training, so that its cost
            depends on when they go.
        observes: whether `Algorithm.observe` is to be called in every step.
        latent: name of the state that holds what the optimizer trains in
            place of the weight, `INACTIVE_VALUES` where these are the weight's
            own values within and outside the mask; None where it trains the
            connections themselves.
        initial_values: whether `sparsify` must have kept the initial values.
        whole_model: whether `update` needs all weights of the model at once.
        skips_step: whether a batch that updates the masks leaves the weights
            alone.
        initializes_slots: whether `update` gives slots of new connections
            values, which optimizers may keep multiplied by the learning rate
            of the moment.
    """

    start: Literal["random", "dense", "any"] = "random"
    structures: tuple[str, ...] | None = None
    dense_gradient_steps: int | Literal["all"] = 0
    prunes_during_training: bool = False
    observes: bool = False
    latent: str | None = None
    initial_values: bool = False
    whole_model: bool = False
    skips_step: bool = False
    initializes_slots: bool = False
