"""The interpreter of LiteRT files, found without importing TensorFlow.

Files run in the interpreter of `ai-edge-litert` if it is installed, because
that is what runs them on a user's device. Otherwise they run in TensorFlow's
interpreter, which is deprecated and runs some files that LiteRT now refuses.
"""

import contextlib
import importlib
import warnings
from collections.abc import Iterator
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import numpy as np

_WARNING = ".*tf.lite.Interpreter is deprecated.*"
_LITERT = "ai-edge-litert"


def interpreter_class() -> Any:
    """Returns the interpreter of LiteRT, else that of TensorFlow."""
    try:
        module = importlib.import_module("ai_edge_litert.interpreter")
    except ImportError:
        return importlib.import_module("tensorflow").lite.Interpreter
    return module.Interpreter


def runtime() -> str:
    """Returns name and version of what runs files."""
    if interpreter_class().__module__.startswith("tensorflow"):
        tensorflow = importlib.import_module("tensorflow")
        return f"TensorFlow {tensorflow.__version__}"
    return f"LiteRT {metadata.version(_LITERT)}"


@contextlib.contextmanager
def without_warning() -> Iterator[None]:
    """Silences TensorFlow's warning that its interpreter will move."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", _WARNING)
        yield


def quantize(array: np.ndarray, detail: Mapping[str, Any]) -> np.ndarray:
    """Converts an input to the dtype that the interpreter's `detail` asks for.

    A scale of 0 means that the input is not quantized.
    """
    dtype = detail["dtype"]
    scale, zero_point = detail["quantization"]
    if array.dtype == object:
        # The interpreter takes arrays of bytes of one length.
        return array.astype(np.bytes_)
    if array.dtype == dtype or not np.issubdtype(array.dtype, np.floating):
        return array.astype(dtype)

    if scale and np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        steps = np.round(array / scale + zero_point)
        array = np.clip(steps, limits.min, limits.max)
    return array.astype(dtype)


def dequantize(array: np.ndarray, detail: Mapping[str, Any]) -> np.ndarray:
    """Converts a quantized output to floats; returns any other as it is."""
    scale, zero_point = detail["quantization"]
    if not scale or not np.issubdtype(array.dtype, np.integer):
        return array
    return (array.astype(np.float32) - zero_point) * scale
