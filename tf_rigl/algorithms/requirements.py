"""Needs of a method towards the training around it, as one value."""

import dataclasses
from typing import Literal

# Name of the state with the values of all positions, for methods that also
# train the positions outside the mask.
INACTIVE_VALUES = "inactive_values"
# Name of the state with values that training does not change.
FROZEN_VALUES = "frozen_values"


@dataclasses.dataclass(frozen=True)
class Requirements:
    """Needs of a method; fields keep their defaults unless it differs.

    Attributes:
        start: initial masks: `"random"`, `"dense"` (all connections), or
            `"any"`.
        structures: names of the structures that the method preserves; None for
            all.
        dense_gradient_steps: number of the ΔT + 1 batches per interval in which
            the method uses the gradient outside the mask, or `"all"`. Training
            FLOPs follow from it, and a storage without a dense gradient needs
            to compute one only in these steps.
        prunes_during_training: whether weights have more connections than
            allotted until some training step, so that the cost depends on when
            they are pruned.
        observes: whether `Algorithm.observe` must be called, in every step or
            in `observed_steps`.
        latent: name of the state that the optimizer trains in place of the
            weight: `INACTIVE_VALUES` if these are the weight's own values
            inside and outside the mask; None if the weight itself is trained.
        initial_values: whether `sparsify` must keep the initial values.
        whole_model: whether `update` needs all weights of the model at once.
        skips_step: whether a batch that updates the masks skips its weight
            update.
        initializes_slots: whether `update` returns values for the slots of new
            connections. Some optimizers store these slots multiplied by the
            current learning rate.
        dense_weights: whether the method trains the latent values of weights
            that have and keep all connections, too.
        freezes_others: whether weights that the method does not update stay as
            they are: biases, normalization and weights without zeros.
        observed_steps: number of the last steps up to each mask update, that of
            the update included, in which `Algorithm.observe` is called; None
            for all steps.
        needs_dense: whether the method needs the mask, values or state of all
            positions, so that it cannot train weights stored by their
            connections. If not, `update_connections` updates these.
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
    dense_weights: bool = False
    freezes_others: bool = False
    observed_steps: int | None = None
    needs_dense: bool = True
