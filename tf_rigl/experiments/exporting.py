"""From a Keras model to a file that is proved to compute the same."""

import dataclasses
import os
import pathlib
import uuid
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf

import tf_rigl
from tf_rigl.core.checks import check_choice
from tf_rigl.experiments import inspection
from tf_rigl.experiments import model_files
from tf_rigl.export.endpoints import DEFAULT_SIGNATURE
from tf_rigl.export.endpoints import Endpoint
from tf_rigl.export.endpoints import trace_endpoints
from tf_rigl.export.litert.inputs import call_model
from tf_rigl.export.litert.inputs import named_inputs
from tf_rigl.export.litert.inputs import random_inputs
from tf_rigl.export.litert.run import Difference
from tf_rigl.export.litert.run import Named
from tf_rigl.export.litert.run import compare
from tf_rigl.export.litert.run import run
from tf_rigl.masking.model_weights import walk_model

FORMATS = ("saved_model", "litert", "keras")
# Shares of the largest output, where values are stored as they are.
_TOLERANCE = 1e-5
_TOLERANCE_SHRUNK = 1e-4


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a model is exported.

    Attributes:
        format: one of `FORMATS`; `"keras"` is the plain model.
        compression: of a SavedModel; see `export_saved_model`.
        values: of a SavedModel; see `export_saved_model`.
        quantization: of a LiteRT file; see `export_litert`.
        shrink: whether units that do nothing are cut out before.
        tolerance: the largest difference between outputs, as a share of the
            largest output. None: 1e-5 where all values are stored as they
            are, 1e-4 if units were cut out, too; any where they are rounded.
        overwrite: whether to replace what is there.
    """

    format: str = "saved_model"
    compression: str = "smallest"
    values: Any = "float32"
    quantization: str = "float32"
    shrink: bool = False
    tolerance: float | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        check_choice("format", self.format, FORMATS)

    @property
    def largest_difference(self) -> float:
        """The tolerance, or what it is by default."""
        if self.tolerance is not None:
            return self.tolerance
        rounded = {
            "saved_model": self.values != "float32",
            "litert": self.quantization != "float32",
            "keras": False,
        }
        if rounded[self.format]:
            return np.inf
        return _TOLERANCE_SHRUNK if self.shrink else _TOLERANCE


class Exported(NamedTuple):
    """What was written."""

    table: str  # what each weight takes
    difference: Difference  # of the outputs, the file against the model
    tolerance: float  # the largest share of the largest output; may be inf

    @property
    def matches(self) -> bool:
        """Whether the difference is within the tolerance; NaN is not."""
        return self.difference.relative <= self.tolerance

    @property
    def verdict(self) -> str:
        """That in words."""
        if not self.matches:
            return "DIFFERS FROM"
        return "matches" if np.isfinite(self.tolerance) else "a rounded"


def export(
    model: Any,
    path: str | os.PathLike[str],
    settings: Settings,
    inputs: Any = None,
    representative_data: Any = None,
) -> Exported:
    """Exports a model, loads the file with a stock loader and compares.

    Args:
        model: a model of either Keras; it is not changed, but for the format
            `"keras"`, in which it loses its masks.
        path: of what is to be written.
        settings: how.
        inputs: a batch to compare on; None: some random examples.
        representative_data: examples for `"full_int8"`.

    Raises:
        ValueError: where the model cannot be exported so, or the path exists
            or cannot be written.
    """
    (endpoint,) = trace_endpoints(walk_model(model), None, None)
    examples = (
        random_inputs(endpoint.call, None)
        if inputs is None
        else named_inputs(endpoint.call, inputs)
    )
    expected = call_model(endpoint, examples)
    report = ""
    if settings.shrink:
        model, shrunk = tf_rigl.shrink(model)
        report = f"{shrunk}\n\n"
    write = {
        "saved_model": _write_saved_model,
        "litert": _write_litert,
        "keras": _write_keras,
    }[settings.format]
    table = write(model, os.fspath(path), settings, representative_data)
    outputs = _run(os.fspath(path), settings, endpoint, examples)
    difference = compare(expected, outputs)
    return Exported(f"{report}{table}", difference, settings.largest_difference)


def _write_saved_model(
    model: Any, path: str, settings: Settings, representative_data: Any
) -> str:
    _check_unused(representative_data)
    return str(
        tf_rigl.export_saved_model(
            model,
            path,
            settings.compression,
            values=settings.values,
            overwrite=settings.overwrite,
        )
    )


def _write_litert(
    model: Any, path: str, settings: Settings, representative_data: Any
) -> str:
    return str(
        tf_rigl.export_litert(
            model,
            path,
            settings.quantization,
            representative_data,
            tolerance=settings.tolerance,
            overwrite=settings.overwrite,
        )
    )


def _write_keras(
    model: Any, path: str, settings: Settings, representative_data: Any
) -> str:
    """Writes the plain model aside and renames it."""
    _check_unused(representative_data)
    file = pathlib.Path(path)
    if file.suffix != ".keras":
        raise ValueError(
            "The file of a Keras model must end with .keras. "
            f"Received: path={path!r}."
        )
    if file.exists() and not settings.overwrite:
        raise ValueError(
            "`path` must not exist, lest something be lost. Received: "
            f"path={path!r}. Pass another path or overwrite=True."
        )
    aside = file.with_name(f".{uuid.uuid4().hex[:8]}.keras")
    try:
        tf_rigl.strip(model).save(aside)
        os.replace(aside, file)
    finally:
        aside.unlink(missing_ok=True)
    return str(inspection.inspect_file(file))


def _run(
    path: str, settings: Settings, endpoint: Endpoint, examples: Named
) -> Named:
    """The outputs of what was written, by stock loaders."""
    if settings.format == "litert":
        return run(pathlib.Path(path).read_bytes(), examples)
    tensors = {name: tf.constant(one) for name, one in examples.items()}
    if settings.format == "saved_model":
        # Bound to a name: its functions don't keep its variables alive.
        loaded = tf.saved_model.load(path)
        outputs = loaded.signatures[DEFAULT_SIGNATURE](**tensors)
        return {name: np.asarray(one) for name, one in outputs.items()}
    model = model_files.load_model(path)
    (reloaded,) = trace_endpoints(
        walk_model(model), endpoint.call.arguments[0], None
    )
    return call_model(reloaded, examples)


def _check_unused(representative_data: Any) -> None:
    if representative_data is not None:
        raise ValueError(
            "Only LiteRT's 'full_int8' uses representative data. Received: "
            "representative data for another format. Leave them out."
        )
