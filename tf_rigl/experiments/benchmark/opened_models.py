"""Models of each format, opened and ready to be called on NumPy arrays.

A runtime is imported only for the formats that it runs.
"""

import abc
import pathlib
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import numpy as np

from tf_rigl.experiments.benchmark import model_paths
from tf_rigl.experiments.benchmark.inputs import STRING
from tf_rigl.experiments.benchmark.inputs import InputSpec

Arrays = dict[str, np.ndarray]


class Call(NamedTuple):
    """A call of a model on arrays that it holds already."""

    # Its outputs are NumPy arrays, or hold what becomes arrays for nothing.
    run: Callable[[], Any]
    name_outputs: Callable[[Any], Arrays]  # of what `run` returns


class OpenedModel(abc.ABC):
    """A model in memory.

    Attributes:
        inputs: what it takes.
    """

    inputs: list[InputSpec]

    @abc.abstractmethod
    def prepare(self, arrays: Sequence[np.ndarray]) -> Call:
        """Converts inputs, in the order of `inputs`, to what a call takes."""


def start_runtime(kind: str, path: pathlib.Path, threads: int) -> str:
    """Imports what runs a format, and sets how many threads a call may use.

    Returns:
        The name and the version of the runtime.

    Raises:
        ValueError: if it is a damaged .keras file.
        ImportError: if something is not installed.
    """
    if kind == model_paths.LITERT:
        from tf_rigl.export.litert import interpreter

        return interpreter.runtime()
    if kind == model_paths.PLAN:
        from tf_rigl import version
        from tf_rigl.native import library

        library.find()
        return f"tf_rigl {version.__version__}"

    import tensorflow as tf

    tf.config.set_visible_devices([], "GPU")
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    # Or branches of a model would run side by side, on more threads.
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.function(tf.abs)(tf.constant(0.0))
    if kind == model_paths.KERAS:
        return _start_keras(path, threads)
    from tf_rigl.backend import native_ops

    if native_ops.is_in(path):
        native_ops.load_native_ops()
    return f"TensorFlow {tf.__version__}"


def open_model(
    kind: str, path: pathlib.Path, threads: int, imports: Sequence[str] = ()
) -> OpenedModel:
    """Opens a model; `imports` are modules of the layers of .keras files.

    Raises:
        Exception: whatever a runtime raises of a file that it cannot read.
    """
    if kind == model_paths.LITERT:
        return LiteRTModel(path, threads)
    if kind == model_paths.PLAN:
        return PlanModel(path, threads)
    if kind == model_paths.KERAS:
        return KerasModel(path, imports)
    return SavedModel(path)


def _start_keras(path: pathlib.Path, threads: int) -> str:
    from tf_rigl.backend import keras_bindings
    from tf_rigl.experiments import keras_modules
    from tf_rigl.experiments import model_files
    from tf_rigl.export import endpoints as endpoints
    from tf_rigl.native import library

    if library.available():
        # Layers in compressed storage compute by it.
        library.set_threads(threads)
    keras = keras_modules.load_keras(model_files.keras_of(path))
    # The masked layers, or their import would count as part of the loading.
    keras_bindings.load(keras.__name__)
    return f"{keras.__name__} {keras.__version__}"


class KerasModel(OpenedModel):
    """A `.keras` file of either Keras, called by a `tf.function`."""

    def __init__(self, path: pathlib.Path, imports: Sequence[str] = ()) -> None:
        from tf_rigl.backend import call_signature
        from tf_rigl.experiments import model_files
        from tf_rigl.masking.model_weights import walk_model

        model = model_files.load_model(path, imports)
        self._walked = walk_model(model)
        self._call = call_signature.call_signature(model, None)
        if not call_signature.is_dense(self._call):
            raise ValueError("It takes ragged or sparse tensors.")
        leaves = call_signature.named_leaves(self._call)
        self.inputs = [_spec(name, leaf) for name, leaf in leaves.items()]

    def prepare(self, arrays: Sequence[np.ndarray]) -> Call:
        """Traces a function for the shapes of these arrays alone."""
        import tensorflow as tf

        from tf_rigl.backend import call_signature
        from tf_rigl.export import endpoints

        leaves = call_signature.named_leaves(self._call).values()
        tensors = [
            tf.cast(tf.constant(array), leaf.dtype)
            for array, leaf in zip(arrays, leaves, strict=True)
        ]
        specs = [tf.TensorSpec(x.shape, x.dtype) for x in tensors]
        fixed = call_signature.pack_arguments(self._call, specs)
        endpoint = endpoints.trace_model(
            self._walked, call_signature.CallSignature(*fixed), is_given=True
        )
        positional, named = call_signature.pack_arguments(self._call, tensors)

        def run() -> Any:
            outputs = endpoint.function(*positional, **named)
            return tf.nest.map_structure(_to_numpy, outputs)

        return Call(run, _name_by_structure)


class SavedModel(OpenedModel):
    """A SavedModel, packed or not, called by its signature."""

    def __init__(self, path: pathlib.Path) -> None:
        import tensorflow as tf

        # The variables of its functions live as long as it does.
        self._loaded = tf.saved_model.load(str(path))
        signatures = self._loaded.signatures
        if not signatures:
            raise ValueError("It has no signature to call.")
        name = "serving_default"
        self._function = signatures.get(name) or next(iter(signatures.values()))
        _, keywords = self._function.structured_input_signature
        self.inputs = [_spec(name, leaf) for name, leaf in keywords.items()]

    def prepare(self, arrays: Sequence[np.ndarray]) -> Call:
        """Converts the arrays to tensors."""
        import tensorflow as tf

        tensors = {
            spec.name: tf.cast(tf.constant(array), spec.dtype)
            for spec, array in zip(self.inputs, arrays, strict=True)
        }

        def run() -> Arrays:
            outputs = self._function(**tensors)
            return {name: _to_numpy(one) for name, one in outputs.items()}

        return Call(run, lambda outputs: outputs)


class LiteRTModel(OpenedModel):
    """A `.tflite` file in an interpreter."""

    def __init__(self, path: pathlib.Path, threads: int) -> None:
        from tf_rigl.export.litert import interpreter

        with interpreter.without_warning():
            self._interpreter = interpreter.interpreter_class()(
                model_path=str(path), num_threads=threads
            )
        self._interpreter.allocate_tensors()
        self._details = self._interpreter.get_input_details()
        names = self._names("inputs", self._details)
        self.inputs = [
            InputSpec(names[one["index"]], _open_shape(one), _outer_dtype(one))
            for one in self._details
        ]

    def prepare(self, arrays: Sequence[np.ndarray]) -> Call:
        """Resizes the interpreter's inputs, and quantizes floats if needed."""
        from tf_rigl.export.litert import interpreter

        one = self._interpreter
        for detail, array in zip(self._details, arrays, strict=True):
            one.resize_tensor_input(detail["index"], array.shape)
        one.allocate_tensors()
        given = [
            (detail["index"], interpreter.quantize(array, detail))
            for detail, array in zip(self._details, arrays, strict=True)
        ]
        details = one.get_output_details()
        names = self._names("outputs", details)

        def run() -> list[np.ndarray]:
            for index, array in given:
                one.set_tensor(index, array)
            one.invoke()
            return [one.get_tensor(detail["index"]) for detail in details]

        def name_outputs(outputs: list[np.ndarray]) -> Arrays:
            return {
                names[detail["index"]]: interpreter.dequantize(array, detail)
                for detail, array in zip(details, outputs, strict=True)
            }

        return Call(run, name_outputs)

    def _names(self, side: str, details: Any) -> dict[int, str]:
        """Returns the names of inputs or outputs by their indices.

        They are those of the model's signature, where it has just one.
        """
        found = {one["index"]: one["name"] for one in details}
        signatures = list(self._interpreter.get_signature_list())
        if len(signatures) == 1:
            runner = self._interpreter.get_signature_runner(signatures[0])
            named = getattr(runner, f"get_{side[:-1]}_details")()
            found |= {one["index"]: name for name, one in named.items()}
        return found


class PlanModel(OpenedModel):
    """A plan of the native library."""

    def __init__(self, path: pathlib.Path, threads: int) -> None:
        from tf_rigl import native

        self._plan = native.Plan(path, threads=threads)
        self.inputs = [
            InputSpec(
                port.name,
                (None, *port.shape),
                "int32" if port.rows else "float32",
            )
            for port in self._plan.inputs
        ]

    def prepare(self, arrays: Sequence[np.ndarray]) -> Call:
        """Leaves the arrays as they are."""
        names = [port.name for port in self._plan.outputs]

        def run() -> Any:
            return self._plan(*arrays)

        def name_outputs(outputs: Any) -> Arrays:
            made = outputs if isinstance(outputs, tuple) else (outputs,)
            return dict(zip(names, made, strict=True))

        return Call(run, name_outputs)


def _spec(name: str, leaf: Any) -> InputSpec:
    """Converts a specification of TensorFlow's.

    Raises:
        ValueError: if the number of dimensions is open.
    """
    if leaf.shape.rank is None:
        raise ValueError(f"Its input {name!r} may have any dimensions.")
    return InputSpec(name, tuple(leaf.shape.as_list()), leaf.dtype.name)


def _open_shape(detail: Any) -> tuple[int | None, ...]:
    sizes = detail.get("shape_signature")
    if sizes is None or not len(sizes):
        sizes = detail["shape"]
    return tuple(None if size < 0 else int(size) for size in sizes)


def _outer_dtype(detail: Any) -> str:
    """Returns the dtype of what is given: floats where they are quantized."""
    scale, _ = detail["quantization"]
    dtype = np.dtype(detail["dtype"])
    if scale and np.issubdtype(dtype, np.integer):
        return "float32"
    return STRING if dtype.kind in "OSU" else dtype.name


def _to_numpy(output: Any) -> Any:
    return output.numpy() if hasattr(output, "numpy") else output


def _name_by_structure(outputs: Any) -> Arrays:
    """Names outputs as those of an exported model are named."""
    import tensorflow as tf

    if isinstance(outputs, dict):
        return outputs
    flat = tf.nest.flatten(outputs)
    return {f"output_{place}": array for place, array in enumerate(flat)}
