"""Reading of a run: the files in its folder, and its model."""

import dataclasses
import math
import os
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf

import tf_rigl
from tf_rigl.accounting import ModelProfile
from tf_rigl.data.datasets import DataInfo
from tf_rigl.diagnostics import diagnose
from tf_rigl.experiments.runs import run_folder
from tf_rigl.experiments.runs import train
from tf_rigl.experiments.runs.plan import RunPlan
from tf_rigl.experiments.runs.plan import make_plan
from tf_rigl.experiments.runs.results import TOTALS
from tf_rigl.experiments.runs.settings import RunSettings
from tf_rigl.masking.layer_rules import kernel_layout
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.masked_weight import masked_weights

# The keys of the results that the page needs.
_RESULTS = ("measures", "headline", "profile", "steps", "epochs", "files")


class RunRecord(NamedTuple):
    """The files of a run, which may not have finished."""

    folder: run_folder.RunFolder
    settings: RunSettings
    epochs: list[dict[str, Any]]  # the lines of `MetricsFile`, one per epoch
    # The lines of `MaskDiagnostics`, one per epoch; empty for a dense model.
    masks: list[dict[str, Any]]
    results: dict[str, Any] | None  # None until the run has finished
    # The lines of `UpdateFile`; empty in runs of versions that wrote none.
    updates: Sequence[dict[str, Any]] = ()

    @property
    def weights(self) -> list[str]:
        """Paths of the masked weights, in the order of the layers."""
        return list(self.masks[-1]["weights"]) if self.masks else []


class WeightMask(NamedTuple):
    """The mask of one weight, bool [positions, inputs, units]."""

    path: str
    now: np.ndarray
    start: np.ndarray | None  # None if not known
    # Magnitudes of the channels left, if the weight scales channels.
    scales: np.ndarray | None = None


class ModelState(NamedTuple):
    """Facts about a run that are read from its model."""

    profile: ModelProfile
    masks: list[WeightMask]  # in the order of the layers; empty if dense
    # The height and width of the images if each input of the first mask is a
    # pixel, or a color channel of one; else None.
    image_shape: tuple[int, int] | None


def read_run(path: str | os.PathLike[str]) -> RunRecord:
    """Reads the folder of a run, which may not have finished yet.

    Raises:
        ValueError: if `path` is not the folder of a run, or a file is damaged.
    """
    folder = run_folder.RunFolder(path)
    settings = folder.read_settings()
    if settings is None:
        problem = "has no configuration.json"
        if not folder.path.is_dir():
            problem = "is no folder"
        raise ValueError(
            "`folder` must be that of a training run. Received: "
            f"folder={str(folder.path)!r}, which {problem}. Name what the "
            "run had as --output_dir."
        )

    results = None
    if folder.results.exists():
        results = folder.read_results()
        run_folder.check_keys(folder.results, results, _RESULTS)
        run_folder.check_keys(folder.results, results["profile"], TOTALS)
    return RunRecord(
        folder,
        settings,
        run_folder.read_lines(folder.metrics, ("steps", "seconds")),
        run_folder.read_lines(folder.masks, ("total", "weights")),
        results,
        run_folder.read_lines(folder.updates, ("total", "weights")),
    )


def plan_of(record: RunRecord) -> RunPlan | None:
    """Returns the plan of a run, inferred from its files; None if not known.

    The data is not needed, since it may be on another machine. If the only
    finished epoch was interrupted, only the steps after that are counted.
    """
    if record.results is not None:
        per_epoch = record.results["steps"] // record.results["epochs"]
    else:
        per_epoch = max((one["steps"] or 0 for one in record.epochs), default=0)
    if not per_epoch:
        return None

    # The plan depends only on the number of batches of the data.
    settings = dataclasses.replace(record.settings, steps_per_execution=1)
    examples = per_epoch * settings.batch_size
    return make_plan(settings, DataInfo(examples, 0, 0, ()))


def read_model_state(record: RunRecord) -> ModelState:
    """Reads the trained model of a run or, if there is none, a checkpoint.

    The checkpoint is the newest one. Its model must be rebuilt, for which the
    data is needed.

    Raises:
        FileNotFoundError: if the run has neither, or if a checkpoint is to be
            read and the data is not on this machine.
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


def _mask_of(weight: MaskedWeight) -> WeightMask:
    start = diagnose.start_mask(weight)
    if start is not None:
        layout = kernel_layout(weight.owner, weight.variable)
        start = layout.view(tf.convert_to_tensor(start)).numpy()
    scales = None
    if weight.is_scale:
        scales = np.abs(weight.values().numpy())[weight.mask.numpy()]
    return WeightMask(weight.path, diagnose.mask_view(weight), start, scales)


def _image_shape(model: Any, masks: list[WeightMask]) -> tuple[int, int] | None:
    """Returns height and width if the first mask is over flattened images."""
    if not masks or len(model.inputs) != 1:
        return None

    shape = tuple(model.inputs[0].shape)[1:]
    positions, inputs, _ = masks[0].now.shape
    is_image = len(shape) in (2, 3) and None not in shape
    if not is_image or positions != 1 or math.prod(shape) != inputs:
        return None
    return shape[0], shape[1]
