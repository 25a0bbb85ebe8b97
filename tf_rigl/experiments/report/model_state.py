"""The masks and the costs of a run's model, as it stands."""

import math
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf

import tf_rigl
from tf_rigl.accounting import ModelProfile
from tf_rigl.diagnostics import diagnose
from tf_rigl.experiments.report.reading import RunRecord
from tf_rigl.experiments.runs import train
from tf_rigl.masking.layer_rules import kernel_layout
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.masked_weight import masked_weights


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


class NoModelError(Exception):
    """There is no model to be read, and why."""


def read_model_state(record: RunRecord) -> ModelState:
    """Reads the trained model of a run, or else its newest checkpoint.

    Raises:
        NoModelError: if the run has left neither, or its data, without which
            a checkpoint cannot be read, is not here.
        ValueError: if the file is damaged.
        ImportError: if the Keras of the model is not installed.
    """
    try:
        model = train.load_trained(record.settings, record.folder)
    except FileNotFoundError as error:
        raise NoModelError(
            "The run has written no model yet, and its checkpoints can only "
            f"be read where its data is. {error}"
        ) from error

    if model is None:
        raise NoModelError("The run has written no checkpoint yet.")
    masks = [_mask_of(weight) for weight in masked_weights(model)]
    return ModelState(tf_rigl.profile(model), masks, _image_shape(model, masks))


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
