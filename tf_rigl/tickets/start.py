"""The beginning of a training: its masks, its values and its method."""

import dataclasses
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from tf_rigl.algorithms.static import Static
from tf_rigl.backend import flavor as flavors
from tf_rigl.checkpointing.snapshot import Snapshot
from tf_rigl.core import treatments
from tf_rigl.core.random_masks import stateless_seed
from tf_rigl.masking.masked_weight import require_masked_weights
from tf_rigl.masking.reinitialize import reinitialize
from tf_rigl.tickets.folder import SearchFolder
from tf_rigl.tickets.folder import level_name
from tf_rigl.updating.callback import UpdateMasks
from tf_rigl.updating.freeze_weights import FreezeWeights
from tf_rigl.updating.set_masks import set_masks


@dataclasses.dataclass(frozen=True)
class Start:
    """The way in which the trainings of a search begin.

    All but the folder are arguments of `TicketSearch`.
    """

    folder: SearchFolder
    rewind_step: int
    retrain: str
    action: str
    keep_sign: bool
    treatment: str
    seed: int

    @property
    def values_path(self) -> str:
        """The file of the values to which levels are rewound."""
        return self.folder.rewind if self.rewind_step else self.folder.start

    def first_batch(self, model: Any) -> int:
        """Returns the number of batches before the step of rewinding."""
        flavor = flavors.model_flavor(model)
        optimizer = flavor.updating_optimizers(model.optimizer)[0]
        return self.rewind_step * flavor.accumulation_steps(optimizer)

    def seed_of(self, name: str) -> int:
        """Returns the seed of one level or control, below 2^31."""
        return zlib.crc32(f"{self.seed}/{name}".encode()) >> 1

    def freezes(self, level: int) -> bool:
        """Returns whether pruned weights of a level hold values."""
        return self.treatment != "zero" and level > 0

    def put_masks(
        self, model: Any, level: int, masks: Mapping[str, np.ndarray]
    ) -> None:
        """Gives a model the masks of a level.

        Where pruned weights hold values they are no masks of the model, which
        then has all connections.
        """
        set_masks(model, masks)
        if self.freezes(level):
            for record in require_masked_weights(model):
                record.set_mask(np.ones(record.shape, bool))
                record.set_target(record.size)

    def prepare_state(
        self, model: Any, level: int, masks: Mapping[str, np.ndarray]
    ) -> None:
        """Makes a model keep what the method keeps, as checkpoints have it."""
        frozen = self.freezes(level)
        method = FreezeWeights(masks) if frozen else UpdateMasks(Static())
        method.set_model(model)

    def method(
        self, model: Any, level: int, masks: Mapping[str, np.ndarray]
    ) -> UpdateMasks:
        """Returns the callback that trains a level from present values."""
        if not self.freezes(level):
            return UpdateMasks(Static())
        values = {
            record.path: np.array(record.values())
            for record in require_masked_weights(model)
        }
        method = FreezeWeights(masks, values)
        method.set_model(model)
        return method

    def set_values(
        self, model: Any, level: int, masks: Mapping[str, np.ndarray]
    ) -> int:
        """Sets the values of a level's start; returns its first batch."""
        if level == 0:
            Snapshot.load(self.folder.start).restore(model)
            return 0

        if self.retrain in ("learning_rate", "fine_tune"):
            Snapshot.load(self.folder.level(level - 1).end).restore(model)
        if self.retrain == "fine_tune":
            return 0

        values = Snapshot.load(self.values_path)
        values.restore(
            model,
            weights=self.retrain != "learning_rate",
            slots="restore" if self.retrain == "state" else "zero",
        )
        if self.action != "rewind":
            set_masks(model, masks)  # whose connections are redrawn
            reinitialize(
                model,
                self.action,
                keep_sign=self.keep_sign,
                initial=values.weights,
                seed=self.seed_of(level_name(level)),
            )
        self._treat(model, level, masks, values)
        return self.first_batch(model)

    def set_control_values(
        self,
        model: Any,
        level: int,
        masks: Mapping[str, np.ndarray],
        how: str,
        keep_sign: bool,
        name: str,
    ) -> int:
        """Sets the values of a control's start; returns its first batch."""
        values = Snapshot.load(self.values_path)
        values.restore(model)
        if how != "random_mask":
            set_masks(model, masks)  # whose connections are redrawn
            reinitialize(
                model,
                how,
                keep_sign=keep_sign,
                initial=values.weights,
                seed=self.seed_of(name),
            )
        self._treat(model, level, masks, values)
        return self.first_batch(model)

    def _treat(
        self,
        model: Any,
        level: int,
        masks: Mapping[str, np.ndarray],
        values: Snapshot,
    ) -> None:
        """Gives pruned weights their values, if they hold any."""
        if not self.freezes(level):
            return

        before = self.folder.level(level - 1)
        trained, final = before.read_masks(), Snapshot.load(before.end).weights
        seed = self.seed_of(f"{level_name(level)}/treatment")
        starts = {
            record.path: np.array(record.values())
            for record in require_masked_weights(model)
        }
        self.put_masks(model, level, masks)
        for record in require_masked_weights(model):
            path = record.path
            weight = treatments.PrunedWeight(
                initial=values.weights[path],
                final=final[path],
                before=trained[path],
                mask=masks[path],
                seed=stateless_seed(seed, record.key),
            )
            record.set_values(
                treatments.treated(self.treatment, weight, starts[path])
            )
