"""What the folder of a run tells: its files, and its model."""

import dataclasses
import json
import math
import os
import pathlib
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf

import tf_rigl
from tf_rigl.accounting import ModelProfile
from tf_rigl.data.datasets import DataInfo
from tf_rigl.diagnostics import diagnose
from tf_rigl.experiments.runs import settings as run_settings
from tf_rigl.experiments.runs import train
from tf_rigl.experiments.runs.plan import RunPlan
from tf_rigl.experiments.runs.plan import make_plan
from tf_rigl.experiments.runs.results import TOTALS
from tf_rigl.experiments.runs.run_folder import RunFolder
from tf_rigl.experiments.runs.settings import RunSettings
from tf_rigl.masking.layer_rules import kernel_layout
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.masked_weight import masked_weights

# Without these no page can be made of the results.
_RESULTS = ("measures", "headline", "profile", "steps", "epochs", "files")


class RunRecord(NamedTuple):
    """A run as far as it has come.

    The lines are those of `MetricsFile` and of `MaskDiagnostics`, one for
    each epoch that has ended; the latter are missing where nothing is sparse.
    """

    folder: RunFolder
    settings: RunSettings
    epochs: list[dict[str, Any]]
    masks: list[dict[str, Any]]
    results: dict[str, Any] | None  # None before the run has ended

    @property
    def weights(self) -> list[str]:
        """Paths of the masked weights, in the order of the layers."""
        return list(self.masks[-1]["weights"]) if self.masks else []


class WeightMask(NamedTuple):
    """The mask of one weight, bool [positions, inputs, units]."""

    path: str
    now: np.ndarray
    start: np.ndarray | None  # None: not known


class ModelState(NamedTuple):
    """The part of a run that only its model tells."""

    profile: ModelProfile
    masks: list[WeightMask]  # in the order of the layers; none if dense
    # Height and width of the images that the first mask reads, pixel by
    # pixel; None where it does not.
    image_shape: tuple[int, int] | None


def read_run(path: str | os.PathLike[str]) -> RunRecord:
    """Reads the folder of a run, which may not have ended yet.

    Raises:
        ValueError: if it is no folder of a run, or a file is damaged.
    """
    folder = RunFolder(path)
    if not folder.configuration.is_file():
        problem = "has no configuration.json"
        if not folder.path.is_dir():
            problem = "is no folder"
        raise ValueError(
            "`folder` must be that of a training run. Received: "
            f"folder={str(folder.path)!r}, which {problem}. Name what the "
            "run had as --output_dir."
        )

    content = _read_object(folder.configuration)
    try:
        settings = run_settings.from_json(content)
    except (TypeError, ValueError) as error:
        raise _damaged(folder.configuration, error) from error

    results = None
    if folder.results.exists():
        results = _read_object(folder.results)
        _check_keys(folder.results, results, _RESULTS)
        _check_keys(folder.results, results["profile"], TOTALS)
    return RunRecord(
        folder,
        settings,
        _read_lines(folder.metrics, ("steps", "seconds")),
        _read_lines(folder.masks, ("total", "weights")),
        results,
    )


def plan_of(record: RunRecord) -> RunPlan | None:
    """Counts the steps of a run by what it has written, if anything.

    The data may be elsewhere, and is not needed. If an epoch was
    cut in two and no other has ended, its steps are those of the second part.
    """
    if record.results is not None:
        per_epoch = record.results["steps"] // record.results["epochs"]
    else:
        per_epoch = max((one["steps"] or 0 for one in record.epochs), default=0)
    if not per_epoch:
        return None

    # All that a plan needs to know of the data is how many batches it has.
    settings = dataclasses.replace(record.settings, steps_per_execution=1)
    examples = per_epoch * settings.batch_size
    return make_plan(settings, DataInfo(examples, 0, 0, ()))


def read_model_state(record: RunRecord) -> ModelState:
    """Reads the trained model of a run, or else its newest checkpoint.

    Raises:
        FileNotFoundError: if the run has left neither, or its data, without
            which a checkpoint cannot be read, is not here.
        ValueError: if the file is damaged.
        ImportError: if the Keras of the model is not installed.
    """
    try:
        model = train.load_trained(record.settings, record.folder)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            "The run has written no model yet, and its checkpoints can only "
            f"be read where its data is. {error}"
        ) from error

    if model is None:
        raise FileNotFoundError("The run has written no checkpoint yet.")
    masks = [_mask_of(weight) for weight in masked_weights(model)]
    return ModelState(tf_rigl.profile(model), masks, _image_shape(model, masks))


def _read_object(path: pathlib.Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error
    if not isinstance(content, dict):
        raise _damaged(path, "no JSON object")
    return content


def _read_lines(
    path: pathlib.Path, keys: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Reads JSON objects, one a line; the last may be half written."""
    if not path.exists():
        return []
    try:
        text = path.read_text("utf-8")
        whole, _, _ = text.rpartition("\n")
        lines = [json.loads(line) for line in whole.splitlines() if line]
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error
    for line in lines:
        _check_keys(path, line, ("epoch", *keys))
    return lines


def _check_keys(
    path: pathlib.Path, content: Any, keys: tuple[str, ...]
) -> None:
    if not isinstance(content, dict):
        raise _damaged(path, f"no JSON object: {content!r:.40}")
    missing = [key for key in keys if key not in content]
    if missing:
        raise _damaged(path, f"without {', '.join(missing)}")


def _damaged(path: pathlib.Path, reason: Any) -> ValueError:
    return ValueError(
        "The files of a run must be as the training programs write them. "
        f"Received: {str(path)!r}, which can't be read ({reason})."
    )


def _mask_of(weight: MaskedWeight) -> WeightMask:
    start = diagnose.start_mask(weight)
    if start is not None:
        layout = kernel_layout(weight.owner, weight.variable)
        start = layout.view(tf.convert_to_tensor(start)).numpy()
    return WeightMask(weight.path, diagnose.mask_view(weight), start)


def _image_shape(model: Any, masks: list[WeightMask]) -> tuple[int, int] | None:
    """Finds height and width if the first masked layer reads whole images."""
    if not masks or len(model.inputs) != 1:
        return None

    shape = tuple(model.inputs[0].shape)[1:]
    positions, inputs, _ = masks[0].now.shape
    is_image = len(shape) in (2, 3) and None not in shape
    if not is_image or positions != 1 or math.prod(shape) != inputs:
        return None
    return shape[0], shape[1]
