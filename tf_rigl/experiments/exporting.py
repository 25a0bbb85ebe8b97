"""Export of Keras models, with a check that the outputs are the same."""

import os
import pathlib
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf

import tf_rigl
from tf_rigl import native
from tf_rigl.backend import atomic_files
from tf_rigl.experiments import inspection
from tf_rigl.experiments import model_files
from tf_rigl.experiments.export_settings import PLAIN
from tf_rigl.experiments.export_settings import ExportSettings
from tf_rigl.export import endpoints
from tf_rigl.export import replicas
from tf_rigl.export.litert import run as litert
from tf_rigl.export.plan import export as plan_export
from tf_rigl.export.plan import read
from tf_rigl.masking.model_weights import walk_model


class Exported(NamedTuple):
    """The result of an export: its table, and a comparison with the model."""

    table: str  # the size of each weight
    difference: litert.Difference  # between the outputs of file and model
    tolerance: float  # as a share of the largest output; may be infinite

    @property
    def matches(self) -> bool:
        """Returns whether the difference is tolerated, which NaN is not."""
        return self.difference.within(self.tolerance)

    @property
    def verdict(self) -> str:
        """The outcome of the comparison, as text between file and model."""
        if not self.matches:
            return "DIFFERS FROM"
        return "matches" if np.isfinite(self.tolerance) else "a rounded"


def export(
    model: Any,
    path: str | os.PathLike[str],
    settings: ExportSettings,
    inputs: Any = None,
    representative_data: Any = None,
) -> Exported:
    """Exports a model, loads the file with a stock loader and compares them.

    Args:
        model: a model of either Keras. It is not changed, except that the
            format `"keras"` strips its masks.
        path: the path to write to.
        settings: the format and its options.
        inputs: a batch to compare on; by default a few random examples.
        representative_data: calibration examples for `"full_int8"`.

    Raises:
        ValueError: if the settings do not suit the model, or the path exists
            or cannot be written.
    """
    endpoint = _trace(model, None)
    if inputs is not None:
        examples = litert.named_inputs(endpoint.call, inputs)
    elif settings.format == "plan" or settings.runtime == "native":
        graph = read.graph_of(model)
        examples = plan_export.random_inputs(endpoint.call, graph)
    else:
        examples = litert.random_inputs(endpoint.call, None)
    expected = litert.call_model(endpoint, examples)

    report = ""
    if settings.shrink:
        model, shrunk = tf_rigl.shrink(model)
        report = f"{shrunk}\n\n"

    table = _write(model, os.fspath(path), settings, representative_data)
    outputs = _run(os.fspath(path), settings, endpoint, examples)
    difference = litert.compare(expected, outputs)
    return Exported(f"{report}{table}", difference, settings.largest_difference)


def _write(
    model: Any, path: str, settings: ExportSettings, representative_data: Any
) -> str:
    """Writes the file; returns a table of the sizes of all weights."""
    if settings.format == "litert":
        return str(
            tf_rigl.export_litert(
                model,
                path,
                settings.quantization,
                representative_data,
                overwrite=settings.overwrite,
                options=tf_rigl.LiteRTOptions(tolerance=settings.tolerance),
            )
        )

    if representative_data is not None:
        raise ValueError(
            "Only LiteRT's 'full_int8' uses representative data. Received: "
            "representative data for another format. Leave them out."
        )
    if settings.format == "plan":
        if not native.available():
            raise ValueError(
                "A plan is compared with its model by the native library, "
                f"which is not there: {native.why_unavailable()} Received: "
                "format='plan'. `tf_rigl.export_plan` writes one without."
            )
        return str(
            tf_rigl.export_plan(
                model,
                path,
                precision=settings.values,
                overwrite=settings.overwrite,
            )
        )
    if settings.format == "saved_model":
        return str(
            tf_rigl.export_saved_model(
                model,
                path,
                None if settings.compression == PLAIN else settings.compression,
                values=settings.values,
                overwrite=settings.overwrite,
                runtime=settings.runtime,
            )
        )

    if not path.endswith(".keras"):
        raise ValueError(
            "The file of a Keras model must end with .keras. "
            f"Received: path={path!r}."
        )
    atomic_files.check_free(path, settings.overwrite)
    with atomic_files.draft(path) as aside:
        tf_rigl.strip(model).save(aside)
    return str(inspection.inspect_file(path))


def _run(
    path: str,
    settings: ExportSettings,
    endpoint: endpoints.Endpoint,
    examples: litert.Named,
) -> litert.Named:
    if settings.format == "litert":
        return litert.run(pathlib.Path(path).read_bytes(), examples)
    if settings.format == "plan":
        plan = native.Plan(path)
        made = plan(*(examples[port.name] for port in plan.inputs))
        made = made if isinstance(made, tuple) else (made,)
        names = [port.name for port in plan.outputs]
        return dict(zip(names, made, strict=True))
    tensors = {name: tf.constant(one) for name, one in examples.items()}
    if settings.format == "saved_model":
        # Bound to a name, because its functions do not keep its variables
        # alive.
        loaded = tf.saved_model.load(path)
        outputs = loaded.signatures[endpoints.DEFAULT_SIGNATURE](**tensors)
        return {name: np.asarray(one) for name, one in outputs.items()}
    model = model_files.load_model(path)
    reloaded = _trace(model, endpoint.call.arguments[0])
    return litert.call_model(reloaded, examples)


def _trace(model: Any, inputs: Any) -> endpoints.Endpoint:
    """Traces the inference of a model, averages over replicas included."""
    walked = walk_model(model)
    traced = endpoints.trace_endpoints(walked, inputs, None)
    (endpoint,) = replicas.capture(walked, traced).endpoints
    return endpoint
