"""The trainings of a compression: their names, lengths and settings."""

import dataclasses
from typing import Any
from typing import NamedTuple

from tf_rigl.experiments.compress.settings import EARLY_BIRD
from tf_rigl.experiments.compress.settings import Asked
from tf_rigl.experiments.compress.settings import CompressSettings
from tf_rigl.experiments.compress.settings import Target
from tf_rigl.experiments.runs.settings import RunSettings

LARGE = "large"
PRUNED = "pruned"  # the kind of a network that was cut and not trained again


class Training(NamedTuple):
    """One training of a compression."""

    kind: str  # LARGE, or a way of training what is left
    target: Target | None  # None for the large network

    @property
    def name(self) -> str:
        """The name of its folder, as in "scratch_e_0.5"."""
        return folder_of(self.kind, self.target) if self.target else LARGE


def folder_of(kind: str, target: Target) -> str:
    """Returns the name of a folder."""
    return f"{kind}_{target.name}"


def trainings(asked: Asked) -> list[Training]:
    """Lists the trainings of a compression in their order."""
    return [
        Training(LARGE, None),
        *(
            Training(kind, target)
            for target in asked.targets
            for kind in asked.compress.retrain
        ),
    ]


class Lengths(NamedTuple):
    """What is known of lengths only once the large network was trained."""

    # Epochs that the FLOPs of the large training are enough for.
    scratch_b: int = 0
    ticket: int = 0  # epochs before the early-bird ticket


def epochs_of(
    training: Training,
    compress: CompressSettings,
    base: RunSettings,
    lengths: Lengths,
) -> int:
    """Returns the epochs of a training."""
    epochs = base.total_epochs
    if training.kind == "scratch_b":
        affords = lengths.scratch_b
        return min(affords, compress.most_epochs or affords)
    if training.kind == "finetune":
        return compress.finetune_epochs or epochs
    if training.kind == EARLY_BIRD:
        return epochs - lengths.ticket
    return epochs


def settings_of(
    training: Training,
    compress: CompressSettings,
    base: RunSettings,
    lengths: Lengths,
) -> RunSettings:
    """Returns the settings of a training of the large network or of a part.

    The learning rate drops at the same shares of the epochs; that of an
    early-bird ticket goes on where the large network's was.
    """
    epochs = epochs_of(training, compress, base, lengths)
    changes: dict[str, Any] = {"epochs": epochs, "multiplier": 1.0}
    if training.kind == "finetune" and compress.finetune_rate:
        changes |= {
            "learning_rate": compress.finetune_rate,
            "schedule": "constant",
            "decay_epochs": (),
            "warmup_epochs": 0.0,
        }
    elif training.kind == EARLY_BIRD:
        changes |= _rest(base, lengths.ticket)
    else:
        stretch = base.multiplier * epochs / base.total_epochs
        changes["decay_epochs"] = tuple(
            stretch * one for one in base.decay_epochs
        )
    return dataclasses.replace(base, **changes)


def _rest(base: RunSettings, done: int) -> dict[str, Any]:
    """Returns the schedule of what is left after some epochs."""
    decays = [base.multiplier * one for one in base.decay_epochs]
    left = tuple(one - done for one in decays if one > done)
    # A constant rate does not drop, whatever the epochs that are named.
    drops = len(decays) - len(left) if base.schedule == "step" else 0
    return {
        "learning_rate": base.learning_rate * base.decay_factor**drops,
        "schedule": "step" if left and base.schedule == "step" else "constant",
        "decay_epochs": left,
        "warmup_epochs": max(0.0, base.warmup_epochs - done),
    }
