"""Evaluation of trained and exported models in any format."""

import os
import pathlib
from collections.abc import Callable
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend import native_ops
from tf_rigl.experiments import model_files
from tf_rigl.experiments.runs import tasks
from tf_rigl.experiments.runs import train
from tf_rigl.experiments.runs.run_folder import RunFolder
from tf_rigl.experiments.runs.tasks import Task
from tf_rigl.export.endpoints import DEFAULT_SIGNATURE
from tf_rigl.export.litert import run

# The least probability; float32 has no smaller number of full precision.
_SMALLEST = 1.2e-38
# By how much float16 and int8 outputs of a softmax miss a sum of one.
_ROUNDING = 0.05
# Returns the logits, or probabilities, of a batch of inputs.
Predict = Callable[[tf.Tensor], Any]


def load_predict(path: str | os.PathLike[str]) -> Predict:
    """Loads a run's folder, a `.keras` or `.tflite` file, or a SavedModel.

    If the run has not finished, its newest checkpoint is loaded.

    Raises:
        ValueError: if the path is none of these, or cannot be read.
    """
    path = pathlib.Path(path)
    if path.suffix == ".tflite":
        return _litert(path)
    if (path / "saved_model.pb").exists():
        return _saved_model(path)

    folder = RunFolder(path)
    settings = folder.read_settings()
    if settings is not None:
        model = train.load_trained(settings, folder)
        if model is None:
            raise ValueError(
                "A run's folder must hold a checkpoint. Received: "
                f"{str(path)!r}, which has none yet. Train first."
            )
        return _compiled(model)
    if path.suffix == ".keras":
        return _compiled(model_files.load_model(path))
    raise ValueError(
        "The model must be the folder of a run or of a SavedModel, or a .keras "
        f"or .tflite file. Received: {str(path)!r}."
    )


def evaluate(
    keras: ModuleType,
    predict: Predict,
    batches: Iterable[tuple[Any, Any]],
    task: Task,
) -> tuple[int, dict[str, float]]:
    """Evaluates a model on batches of examples.

    Returns:
        The number of examples, and the same measures as after training.

    Raises:
        ValueError: if the shape of the logits does not fit the task.
    """
    examples = 0
    metrics = tasks.make_metrics(keras, task._replace(label_smoothing=0.0))
    for inputs, targets in batches:
        outputs = tf.cast(predict(inputs), tf.float32)
        _check_logits(outputs, targets, task)
        logits = _as_logits(outputs)
        for metric in metrics:
            metric.update_state(targets, logits)
        examples += len(inputs)

    scores = {metric.name: float(metric.result()) for metric in metrics}
    return examples, tasks.measures(task, scores)


def _as_logits(outputs: tf.Tensor) -> tf.Tensor:
    """Returns logits, also of a model that ends with a softmax.

    Logarithms of probabilities are logits, too. No file tells what its outputs
    are, but logits do not add up to one in every example.
    """
    sums = tf.reduce_sum(outputs, axis=-1)
    are_probabilities = tf.reduce_all(outputs >= 0) & tf.reduce_all(
        tf.abs(sums - 1) < _ROUNDING
    )
    if not are_probabilities:
        return outputs
    return tf.math.log(tf.maximum(outputs, _SMALLEST))


def _check_logits(logits: tf.Tensor, targets: Any, task: Task) -> None:
    expected = (*targets.shape, task.classes)
    if tuple(logits.shape) != expected:
        raise ValueError(
            "The model must give logits of the classes of the data. Received: "
            f"logits of shape {tuple(logits.shape)} for {expected}. Name the "
            "data that it was trained for."
        )


def _compiled(model: Any) -> Predict:
    return tf.function(lambda inputs: model(inputs, training=False))


def _saved_model(path: pathlib.Path) -> Predict:
    if native_ops.is_in(path):
        native_ops.load_native_ops()
    loaded = tf.saved_model.load(str(path))
    signature = loaded.signatures[DEFAULT_SIGNATURE]
    (name,) = signature.structured_input_signature[1]

    def predict(inputs: tf.Tensor, kept: Any = loaded) -> tf.Tensor:
        del kept  # which keeps the variables of the signature alive
        (output,) = signature(**{name: inputs}).values()
        return output

    return predict


def _litert(path: pathlib.Path) -> Predict:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(
            f"A .tflite file must be readable. Received: {str(path)!r} "
            f"({error.strerror})."
        ) from error
    runner = run.Runner(content)
    (name,) = runner.inputs

    def predict(inputs: tf.Tensor) -> np.ndarray:
        (output,) = runner({name: np.asarray(inputs)}).values()
        return output

    return predict
