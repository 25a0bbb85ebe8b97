"""The callback that writes mask statistics to TensorBoard and files."""

import csv
import importlib.util
import io
import json
import os
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tf_rigl.algorithms.scales import scale_of
from tf_rigl.backend.callback import ModelCallback
from tf_rigl.backend.flavor import model_flavor
from tf_rigl.core.diagnostics import density_image
from tf_rigl.diagnostics import diagnose
from tf_rigl.diagnostics.epoch_file import EpochFile
from tf_rigl.diagnostics.epoch_file import finite
from tf_rigl.masking import tree
from tf_rigl.masking.deferred import is_deferred
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.masking.masked_weight import require_masked_weights

Path = str | os.PathLike[str]
# Plain values by name; None, which JSON writes as null, if not known.
Row = dict[str, int | float | None]
# Makes the lines of an epoch from its number, the total and the weights' rows.
_Lines = Callable[[int, Row, Mapping[str, Row]], list[str]]

# The numbers that TensorBoard shows; the files hold all numbers.
SCALARS = (
    "density",
    "churn",
    "exploration",
    "overlap_start",
    "overlap_previous",
    "kept_gradient_norm",
    "grown_gradient_norm",
    "dead_units",
    "unused_inputs",
    "skipped_updates",
)
COLUMNS = ("epoch", "weight", "churn", *diagnose.NUMBERS)


class MaskDiagnostics(ModelCallback):
    """Writes statistics of the masks after each epoch, weight by weight.

    Use it with `UpdateMasks` in `fit`. It writes the numbers of
    `tf_rigl.diagnose` and `churn`, the fraction of active connections that
    the mask updates of the epoch moved, to up to three destinations:

    - TensorBoard: scalars `mask_<number>/<weight>`, and `masks/<number>` over
      all weights; images `mask/<weight>` of the masks, with inputs from top
      to bottom and units from left to right. A pixel shows the density of its
      connections, which are those of all positions of a convolution, and of
      several inputs or units if the weight is large; histograms
      `scale/<layer>` of |γ| of each normalization layer, masked or not, by
      which network slimming ranks channels. A dense model with such layers
      has these alone, and no files.
    - CSV: a row for each epoch and weight; unknown numbers are empty.
    - JSON lines: an object for each epoch with `epoch`, `total`, and
      `weights` by path; unknown numbers are null.

    Epochs count from 0. A run that starts with epoch 0 overwrites the files. A
    run that is resumed with a later epoch, by `initial_epoch` or
    `BackupAndRestore`, keeps the rows of earlier epochs.

    Args:
        log_dir: the folder for TensorBoard, such as that of the `TensorBoard`
            callback; requires `pip install tensorboard`.
        csv_path: the CSV file.
        json_lines_path: the JSON lines file.
        images: whether to write images of the masks to TensorBoard.
        image_interval: the number of epochs from one set of images to the
            next; the first and the last epoch always have images.
        image_size: the longest side of an image, in pixels.

    Raises:
        TypeError: if a path is neither a string nor path-like.
        ValueError: if no destination is given, a path is empty, or
            `image_interval` or `image_size` is less than 1; when training
            begins, if a file cannot be written or the model is dense, unless
            it has scales and `log_dir` alone is given.
        ImportError: if `log_dir` is given and TensorBoard is not installed.

    Example:
        >>> callbacks = [
        ...     tf_rigl.UpdateMasks(tf_rigl.RigL()),
        ...     tf_rigl.MaskDiagnostics(log_dir="logs", csv_path="masks.csv"),
        ... ]
    """

    def __init__(
        self,
        log_dir: Path | None = None,
        csv_path: Path | None = None,
        json_lines_path: Path | None = None,
        *,
        images: bool = True,
        image_interval: int = 5,
        image_size: int = 256,
    ) -> None:
        super().__init__()
        _check_arguments(
            {
                "log_dir": log_dir,
                "csv_path": csv_path,
                "json_lines_path": json_lines_path,
            },
            {"image_interval": image_interval, "image_size": image_size},
        )

        self._log_dir = log_dir
        self._images = images
        self._image_interval = image_interval
        self._image_size = image_size

        self._files: list[tuple[EpochFile, _Lines]] = []
        if csv_path:
            header = ",".join(COLUMNS)
            file = EpochFile("csv_path", csv_path, header, _csv_epoch)
            self._files.append((file, _csv_lines))
        if json_lines_path:
            file = EpochFile.of_json("json_lines_path", json_lines_path)
            self._files.append((file, _json_lines))

        self._writer: Any = None
        self._moved: dict[str, int] | None = None
        self._pictured_epoch: int | None = None
        self._last_epoch: int | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Checks that there are masks and that the files can be written."""
        del logs
        self._moved = self._pictured_epoch = self._last_epoch = None
        if not is_deferred(self.model):
            self._masked_weights()
        if not self._writes():
            return
        for file, _ in self._files:
            file.check()
        if self._log_dir is not None:
            self._writer = tf.summary.create_file_writer(
                os.fspath(self._log_dir)
            )

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Starts the files before the first epoch.

        Earlier, the number of the first epoch is not known, and other callbacks
        may not have restored the masks yet.
        """
        del logs
        if self._moved is not None:
            return
        self._moved = {}
        if not is_deferred(self.model):
            self._moved = {
                weight.path: int(weight.counters.numpy()[1])
                for weight in self._masked_weights()
            }
        if self._writes():
            for file, _ in self._files:
                file.begin(epoch)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Writes the numbers of the epoch, and images every few epochs."""
        del logs
        self._last_epoch = epoch
        weights = self._masked_weights()
        if weights:
            self._write_masks(epoch, weights)
        if self._writer is not None:
            self._write_histograms(epoch)
            self._writer.flush()

    def on_train_end(self, logs: Any = None) -> None:
        """Writes images of the last masks and closes TensorBoard's file."""
        del logs
        if self._writer is None:
            return
        epoch = self._last_epoch
        if epoch is not None and epoch != self._pictured_epoch:
            self._write_images(epoch, self._masked_weights())
        self._writer.close()
        self._writer = None

    def _writes(self) -> bool:
        """Returns whether this worker is the one that writes."""
        strategy = getattr(self.model, "distribute_strategy", None)
        return strategy is None or strategy.extended.should_save_summary

    def _masked_weights(self) -> list[MaskedWeight]:
        """Returns the masked weights; none if all it writes is scales."""
        if not self._files and any(self._scales()):
            return masked_weights(self.model)
        return require_masked_weights(self.model)

    def _scales(self) -> Iterator[tuple[str, Any]]:
        """Yields the scales of each normalization layer, by its path."""
        for node in tree.walk(model_flavor(self.model), self.model):
            scale = scale_of(node.layer)
            if scale is not None:
                yield "/".join(node.path), scale

    def _write_masks(self, epoch: int, weights: list[MaskedWeight]) -> None:
        total, rows = self._numbers(weights)
        if not self._writes():
            return

        for file, lines_of in self._files:
            file.append(lines_of(epoch, total, rows))
        if self._writer is not None:
            self._write_scalars(epoch, total, rows)
            first = self._pictured_epoch is None
            if first or (epoch + 1) % self._image_interval == 0:
                self._write_images(epoch, weights)

    def _numbers(
        self, weights: list[MaskedWeight]
    ) -> tuple[Row, dict[str, Row]]:
        """Returns the total row, and the row of each weight by path."""
        result = diagnose.diagnose_weights(self.model.name, weights)
        before = self._moved or {}
        self._moved = {row.path: row.moved for row in result.rows}
        total = _with_churn(result.total, sum(before.values()))
        return total, {
            row.path: _with_churn(row, before.get(row.path, 0))
            for row in result.rows
        }

    def _write_scalars(
        self, epoch: int, total: Row, rows: Mapping[str, Row]
    ) -> None:
        with self._writer.as_default(step=epoch):
            for name in SCALARS:
                _write_scalar(f"masks/{name}", total[name])
                for path, row in rows.items():
                    _write_scalar(f"mask_{name}/{path}", row[name])

    def _write_histograms(self, epoch: int) -> None:
        """Writes how large the scales of channels are, layer by layer."""
        with self._writer.as_default(step=epoch):
            for path, scale in self._scales():
                sizes = tf.abs(tf.convert_to_tensor(scale))
                tf.summary.histogram(f"scale/{path}", sizes)

    def _write_images(
        self, epoch: int, weights: Iterable[MaskedWeight]
    ) -> None:
        self._pictured_epoch = epoch
        if not self._images:
            return
        with self._writer.as_default(step=epoch):
            for weight in weights:
                image = density_image(
                    diagnose.mask_view(weight), self._image_size
                )
                tf.summary.image(f"mask/{weight.path}", image[None, :, :, None])


def _check_arguments(
    destinations: Mapping[str, Path | None], numbers: Mapping[str, int]
) -> None:
    if all(path is None for path in destinations.values()):
        raise ValueError(
            "At least one of `log_dir`, `csv_path` and `json_lines_path` must "
            "be given. Received: None for all of them."
        )

    for name, path in destinations.items():
        if path is None:
            continue
        if not isinstance(path, (str, os.PathLike)):
            raise TypeError(
                f"`{name}` must be a path. Received: {name}={path!r}. Pass a "
                "string or a `pathlib.Path`."
            )
        if not os.fspath(path):
            raise ValueError(
                f"`{name}` must name a place to write to. Received: "
                f"{name}={path!r}. Pass None to write nothing there."
            )

    for name, number in numbers.items():
        if number < 1:
            raise ValueError(
                f"`{name}` must be at least 1. Received: {name}={number}. For "
                "no images pass images=False."
            )

    log_dir = destinations["log_dir"]
    if log_dir is not None and importlib.util.find_spec("tensorboard") is None:
        raise ImportError(
            "`log_dir` needs the package `tensorboard`. Received: "
            f"log_dir={log_dir!r}. Run `pip install tensorboard`, or write a "
            "file: csv_path=..., json_lines_path=..."
        )


def _with_churn(statistics: diagnose.MaskStatistics, moved_before: int) -> Row:
    moved = statistics.moved - moved_before
    return {
        "churn": moved / max(statistics.connections, 1),
        **statistics.to_dict(),
    }


def _csv_lines(epoch: int, total: Row, rows: Mapping[str, Row]) -> list[str]:
    del total
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writerows(
        {"epoch": epoch, "weight": path, **row} for path, row in rows.items()
    )
    return text.getvalue().splitlines()


def _csv_epoch(line: str) -> int:
    return int(line.partition(",")[0])


def _json_lines(epoch: int, total: Row, rows: Mapping[str, Row]) -> list[str]:
    content = {
        "epoch": epoch,
        "total": finite(total),
        "weights": {path: finite(row) for path, row in rows.items()},
    }
    return [json.dumps(content, allow_nan=False)]


def _write_scalar(tag: str, value: float | None) -> None:
    if value is not None:
        tf.summary.scalar(tag, value)
