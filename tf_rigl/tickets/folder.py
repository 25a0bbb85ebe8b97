"""The files of a search, each of which is written whole."""

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend import atomic_files
from tf_rigl.tickets import run_names

_ARGUMENTS = "search.json"
_SHOWN = 3
# Arguments that searches of former versions did not have, as they were then.
_ADDED = {"treatment": "zero"}


class SearchFolder:
    """The folder of a search: its arguments, its values, its levels.

    Args:
        path: the folder, local or supported by `tf.io.gfile`; it need not
            exist.
        arguments: all that the search depends on, as JSON values.

    Raises:
        ValueError: if the folder has a search with other arguments.
    """

    def __init__(
        self, path: str | os.PathLike[str], arguments: Mapping[str, Any]
    ) -> None:
        self.path = os.fspath(path)
        self.start = os.path.join(self.path, "start.npz")
        self.rewind = os.path.join(self.path, "rewind.npz")

        tf.io.gfile.makedirs(self.path)
        file = os.path.join(self.path, _ARGUMENTS)
        if not tf.io.gfile.exists(file):
            atomic_files.write_json(file, arguments)
            return

        # As the arguments are when they come back from the file.
        wanted = json.loads(json.dumps(arguments))
        found = {**_ADDED, **read_json(file)}
        names = sorted(
            name
            for name in {*wanted, *found}
            if wanted.get(name) != found.get(name)
        )
        if names:
            differing = "; ".join(
                f"{name}={wanted.get(name)!r} instead of {found.get(name)!r}"
                for name in names[:_SHOWN]
            )
            raise ValueError(
                "A search goes on with the arguments and the model that it "
                f"was begun with. Received: {differing} in {self.path!r}. "
                "Pass the same, or another directory."
            )

    def level(self, number: int) -> "RunFolder":
        """Returns the files of a level."""
        return self.run(run_names.level(number))

    def run(self, name: str) -> "RunFolder":
        """Returns the files of one training, such as "level_03"."""
        return RunFolder(os.path.join(self.path, name))

    def controls(self) -> list[str]:
        """Returns the names of the controls that were begun, sorted."""
        return sorted(
            name.rstrip("/")
            for name in tf.io.gfile.listdir(self.path)
            if run_names.is_control(name)
        )


class RunFolder:
    """The files of the training of one level or control."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.checkpoints = os.path.join(path, "checkpoints")
        self.metrics = os.path.join(path, "metrics.jsonl")
        self.end = os.path.join(path, "end.npz")
        self._masks = os.path.join(path, "masks.npz")
        self._begin = os.path.join(path, "begin.json")
        self._record = os.path.join(path, "record.json")

    @property
    def is_begun(self) -> bool:
        """Whether its masks are known."""
        return tf.io.gfile.exists(self._masks)

    @property
    def is_done(self) -> bool:
        """Whether it was trained and recorded."""
        return tf.io.gfile.exists(self._record)

    def read_masks(self) -> dict[str, np.ndarray]:
        """Returns its masks by path."""
        with (
            tf.io.gfile.GFile(self._masks, "rb") as file,
            np.load(file, allow_pickle=False) as arrays,
        ):
            return dict(arrays)

    def write_masks(self, masks: Mapping[str, np.ndarray]) -> None:
        """Writes its masks; `numpy.load` reads them."""
        tf.io.gfile.makedirs(self.path)
        with atomic_files.open_whole(self._masks, flush=True) as file:
            arrays: dict[str, Any] = dict(masks)
            np.savez_compressed(file, **arrays)

    def begin(self, step: int) -> None:
        """Notes the optimizer step from which the training begins."""
        atomic_files.write_json(self._begin, {"step": step})

    def steps_until(self, step: int) -> int | None:
        """Returns the steps of the training until one; None if not known.

        They are not in folders of earlier versions, nor if the loop has trained
        with another optimizer.
        """
        if not tf.io.gfile.exists(self._begin):
            return None
        steps = step - int(read_json(self._begin)["step"])
        return steps if steps > 0 else None

    def read_record(self) -> dict[str, Any]:
        """Returns the record of a finished training."""
        return read_json(self._record)

    def finish(self, record: Mapping[str, Any]) -> None:
        """Writes the record, after which the training is done.

        Its checkpoints are of no more use and are removed.
        """
        atomic_files.write_json(self._record, record)
        self.clean()

    def clean(self) -> None:
        """Removes the checkpoints, if there are any."""
        if tf.io.gfile.isdir(self.checkpoints):
            tf.io.gfile.rmtree(self.checkpoints)


def read_json(path: str) -> Any:
    """Returns the content of a JSON file."""
    with tf.io.gfile.GFile(path, "r") as file:
        return json.loads(file.read())
