"""The trainings of a compression: their names, lengths and settings."""

import dataclasses
from typing import Any
from typing import NamedTuple

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


def epochs_of(
    training: Training,
    compress: CompressSettings,
    base: RunSettings,
    scratch_b: int,
) -> int:
    """Returns the epochs of a training.

    `scratch_b` is the number that the FLOPs of the large training are enough
    for.
    """
    epochs = base.total_epochs
    if training.kind == "scratch_b":
        return min(scratch_b, compress.most_epochs or scratch_b)
    if training.kind == "finetune":
        return compress.finetune_epochs or epochs
    return epochs


def settings_of(
    training: Training,
    compress: CompressSettings,
    base: RunSettings,
    scratch_b: int,
) -> RunSettings:
    """Returns the settings of a training of the large network or of a part.

    The learning rate drops at the same shares of the epochs.
    """
    epochs = epochs_of(training, compress, base, scratch_b)
    changes: dict[str, Any] = {"epochs": epochs, "multiplier": 1.0}
    if training.kind == "finetune" and compress.finetune_rate:
        changes |= {
            "learning_rate": compress.finetune_rate,
            "schedule": "constant",
            "decay_epochs": (),
            "warmup_epochs": 0.0,
        }
    else:
        stretch = base.multiplier * epochs / base.total_epochs
        changes["decay_epochs"] = tuple(
            stretch * one for one in base.decay_epochs
        )
    return dataclasses.replace(base, **changes)
