"""Runs LiteRT files and compares their outputs with their models'."""

import warnings
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_rigl.export.endpoints import DEFAULT_SIGNATURE

Named = Mapping[str, np.ndarray]

_WARNING = ".*tf.lite.Interpreter is deprecated.*"


class Difference(NamedTuple):
    """Distance between the outputs of two models."""

    error: float  # the largest difference; inf where one is not finite
    scale: float  # the largest magnitude of the expected outputs

    @property
    def relative(self) -> float:
        """The error as a share of the scale."""
        return self.error / max(self.scale, np.finfo(np.float32).tiny)


class Runner:
    """A file in the interpreter, in its default configuration.

    Attributes:
        inputs: names of the inputs that anything depends on.

    Raises:
        ValueError: if the bytes are no file of LiteRT's.
    """

    def __init__(self, content: bytes) -> None:
        with warnings.catch_warnings():
            # TensorFlow's interpreter warns that it will move to another
            # package.
            warnings.filterwarnings("ignore", _WARNING)
            interpreter = tf.lite.Interpreter(model_content=content)
        self._run = interpreter.get_signature_runner(DEFAULT_SIGNATURE)
        self.inputs = list(self._run.get_input_details())

    def __call__(self, inputs: Named) -> dict[str, np.ndarray]:
        """Runs the model once, on a batch of any size that it takes.

        Inputs and outputs are arrays by name, in floats even where the file
        has int8.

        Raises:
            RuntimeError: if the interpreter cannot run the file.
        """
        details = self._run.get_input_details()
        outputs = self._run(
            **{name: _quantize(inputs[name], details[name]) for name in details}
        )
        details = self._run.get_output_details()
        # Copies: the arrays are views of the interpreter's memory.
        return {
            name: np.array(_dequantize(array, details[name]))
            for name, array in outputs.items()
        }


def run(content: bytes, inputs: Named) -> dict[str, np.ndarray]:
    """Runs a file once; see `Runner`."""
    return Runner(content)(inputs)


def compare(expected: Named, outputs: Named) -> Difference:
    """Compares a file's outputs with the expected ones, by name."""
    error = scale = 0.0
    for name, array in expected.items():
        array = np.asarray(array, np.float64)
        other = np.asarray(outputs[name], np.float64)
        if array.size:
            apart = np.abs(array - other).max()
            error = max(error, apart if np.isfinite(apart) else np.inf)
            scale = max(scale, np.abs(array).max())
    return Difference(float(error), float(scale))


def _quantize(array: np.ndarray, detail: Mapping[str, Any]) -> np.ndarray:
    dtype = detail["dtype"]
    scale, zero = detail["quantization"]
    if array.dtype == dtype or not np.issubdtype(array.dtype, np.floating):
        return array.astype(dtype)
    if scale and np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        array = np.clip(np.round(array / scale + zero), limits.min, limits.max)
    return array.astype(dtype)


def _dequantize(array: np.ndarray, detail: Mapping[str, Any]) -> np.ndarray:
    scale, zero = detail["quantization"]
    if not scale or not np.issubdtype(array.dtype, np.integer):
        return array
    return (array.astype(np.float32) - zero) * scale
