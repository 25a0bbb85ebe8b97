"""The masks of the epochs of a training, in memory and in a file."""

import json
import os
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend import atomic_files

_FORMAT = 1


class MaskSeries:
    """Masks taken before the epochs of a training.

    Args:
        path: path of the file from which the series goes on and to which `save`
            writes, if there is one.
        arguments: what the masks depend on, as JSON values.

    Attributes:
        epochs: the epoch before which each mask was taken, ascending.
        steps: the optimizer steps that had been taken by then.
        masks: bool [channels] each, of all layers after each other.
        sizes: number of channels of each layer by path.

    Raises:
        ValueError: if the file is none of these, or has other arguments.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        arguments: Mapping[str, Any],
    ) -> None:
        self.epochs: list[int] = []
        self.steps: list[int] = []
        self.masks: list[np.ndarray] = []
        self.sizes: dict[str, int] = {}
        self._path = None if path is None else os.fspath(path)
        self._arguments = dict(arguments)
        if self._path is not None and tf.io.gfile.exists(self._path):
            self._load(self._path)

    def begin(self, epoch: int, step: int, sizes: Mapping[str, int]) -> None:
        """Keeps the masks that a training from this epoch on has behind it.

        The mask of the epoch itself stays if the training goes on from within
        that epoch, as from a checkpoint: the epoch began with other values.

        Args:
            epoch: the first epoch of the training.
            step: the optimizer steps taken so far.
            sizes: number of channels of each layer by path.

        Raises:
            ValueError: if masks stay that are of other layers.
        """
        count = sum(one < epoch for one in self.epochs)
        if self.epochs[count : count + 1] == [epoch]:
            after = [*self.steps, float("inf")][count + 1]
            count += self.steps[count] < step < after

        del self.epochs[count:], self.steps[count:], self.masks[count:]
        if count and self.sizes != sizes:
            raise ValueError(
                "A training goes on with the model that it was begun with. "
                f"Received: scales {dict(sizes)} in epoch {epoch} after masks "
                f"of {self.sizes}. Build the same model, with names for its "
                "layers, or begin anew with another `path`."
            )
        self.sizes = dict(sizes)

    def add(self, epoch: int, step: int, mask: np.ndarray) -> None:
        """Appends the mask before an epoch."""
        self.epochs.append(epoch)
        self.steps.append(step)
        self.masks.append(mask)

    def stacked(self) -> np.ndarray:
        """Returns all masks, bool [masks, channels]."""
        channels = sum(self.sizes.values())
        return np.array(self.masks, bool).reshape(len(self.masks), channels)

    def by_path(self, index: int) -> dict[str, np.ndarray]:
        """Returns a mask in parts, bool [channels] for each layer."""
        ends = np.cumsum(list(self.sizes.values()))
        parts = np.split(self.masks[index], ends[:-1])
        return dict(zip(self.sizes, parts, strict=True))

    def save(self) -> None:
        """Writes the file as a whole, if there is to be one."""
        if self._path is None:
            return
        about = {
            "format": _FORMAT,
            "arguments": self._arguments,
            "sizes": self.sizes,
        }
        tf.io.gfile.makedirs(os.path.dirname(self._path) or ".")
        with atomic_files.open_whole(self._path, flush=True) as file:
            np.savez_compressed(
                file,
                about=json.dumps(about),
                epochs=np.array(self.epochs, np.int64),
                steps=np.array(self.steps, np.int64),
                masks=np.packbits(self.stacked(), axis=-1),
            )

    def _load(self, path: str) -> None:
        try:
            with (
                tf.io.gfile.GFile(path, "rb") as file,
                np.load(file, allow_pickle=False) as arrays,
            ):
                about = json.loads(str(arrays["about"]))
                epochs, steps = arrays["epochs"], arrays["steps"]
                packed = arrays["masks"]
        except (KeyError, ValueError, zipfile.BadZipFile) as error:
            raise ValueError(
                "`path` must be a file that EarlyBird has written, or none. "
                f"Received: path={path!r}; {error}. Pass another path."
            ) from error

        if about["arguments"] != self._arguments:
            raise ValueError(
                "A training goes on with the masks that it was begun with. "
                f"Received: {self._arguments} for a file with "
                f"{about['arguments']}, {path!r}. Pass the same, or another "
                "`path`."
            )
        self.epochs, self.steps = epochs.tolist(), steps.tolist()
        self.sizes = about["sizes"]
        channels = sum(self.sizes.values())
        self.masks = list(
            np.unpackbits(packed, axis=-1, count=channels).astype(bool)
        )
