"""Converts a Keras model to a dense LiteRT file with TensorFlow's converter."""

import re
import warnings
from typing import Any

import tensorflow as tf

from tf_rigl.backend import call_signature
from tf_rigl.export.endpoints import DEFAULT_SIGNATURE
from tf_rigl.export.endpoints import Endpoint
from tf_rigl.export.endpoints import trace_model
from tf_rigl.export.litert.run import Feed
from tf_rigl.export.replicas import capture
from tf_rigl.masking.model_weights import WalkedModel
from tf_rigl.masking.model_weights import walk_model
from tf_rigl.updating import low_precision

QUANTIZATIONS = ("float32", "float16", "dynamic_int8", "full_int8")


def save_for_converter(
    folder: str, model: Any, inputs: Any, batch_size: int | None
) -> Endpoint:
    """Saves a model's inference as a SavedModel for TensorFlow's converter.

    Keras's own export cannot be used, because the converter does not turn the
    variables of Keras 3 into constants.

    Args:
        folder: where to write the SavedModel.
        model: a model of either Keras.
        inputs: the inputs of its call, as for `call_signature`.
        batch_size: number of examples of each call; None allows any number.

    Returns:
        The traced call.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if the model was never called and `inputs` is None, if it
            takes ragged or sparse tensors, or if it computes in float16 or
            bfloat16.
    """
    walked = walk_model(model)
    low_precision.check_full(walked.nodes)
    _check_float32(walked)
    call = call_signature.call_signature(model, inputs)
    if not call_signature.is_dense(call):
        raise ValueError(
            "LiteRT files take dense tensors. Received: the model "
            f"{model.name!r}, which takes {tuple(call)}. Export a model of "
            "dense inputs, padded, with the same layers."
        )
    if batch_size is not None:
        call = call_signature.fix_batch(call, batch_size)
    traced = trace_model(walked, call, is_given=inputs is not None)
    (endpoint,), captures, _ = capture(walked, [traced])

    root = tf.Module()
    root.captured = list(captures.variables.values())
    root.tables = captures.tables
    root.serve = tf.function(
        endpoint.run,
        autograph=False,
        input_signature=call_signature.flat_signature(endpoint.call),
    )
    concrete = root.serve.get_concrete_function()
    # Gradients of custom operations would need the layers' own code.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(root, folder, {DEFAULT_SIGNATURE: concrete}, options)
    return endpoint


def convert(
    folder: str,
    quantization: str = "float32",
    feed: Feed | None = None,
    int8_io: bool = False,
    select_tf_ops: bool = False,
) -> bytes:
    """Converts a SavedModel of `save_for_converter` to a dense LiteRT file.

    Args:
        folder: folder of the SavedModel.
        quantization: one of `QUANTIZATIONS`.
        feed: yields inputs from which "full_int8" finds the ranges of
            activations. None if the model holds these ranges, as models of
            `quantize_aware` do.
        int8_io: whether inputs and outputs are int8, too.
        select_tf_ops: whether the file may use TensorFlow's own operations.

    Returns:
        The content of the file.

    Raises:
        ValueError: if the converter refuses the model.
    """
    lite = tf.lite
    converter = lite.TFLiteConverter.from_saved_model(
        folder, signature_keys=[DEFAULT_SIGNATURE]
    )

    operators = [lite.OpsSet.TFLITE_BUILTINS]
    if quantization != "float32":
        converter.optimizations = [lite.Optimize.DEFAULT]
    if quantization == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantization == "full_int8":
        if feed is not None:
            operators = [lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.representative_dataset = feed
        if int8_io:
            converter.inference_input_type = tf.int8
            converter.inference_output_type = tf.int8

    if select_tf_ops:
        operators.append(lite.OpsSet.SELECT_TF_OPS)
    converter.target_spec.supported_ops = operators

    try:
        with warnings.catch_warnings():
            # The interpreter that calibrates warns that it will move to
            # another package.
            warnings.simplefilter("ignore", UserWarning)
            return converter.convert()
    # Each phase of the compiler raises errors of its own.
    except Exception as error:
        raise ValueError(_refusal(str(error), quantization)) from error


def _refusal(reason: str, quantization: str) -> str:
    """Returns the error message for a model that the converter refuses.

    Args:
        reason: the converter's own message, from which a fix is derived.
        quantization: one of `QUANTIZATIONS`.
    """
    missing = sorted(set(re.findall(r"'tf\.(\w+)' op is neither", reason)))
    if "TensorList" in reason:
        fix = (
            "Its loop over time steps needs a fixed batch size: pass "
            "batch_size=1."
        )
    elif missing:
        fix = (
            f"LiteRT does not have the operations {missing}. With "
            "select_tf_ops=True they can be TensorFlow's, in interpreters "
            "that are linked with them."
        )
    elif quantization == "full_int8":
        fix = (
            "Operations without an int8 version can stay in float with "
            "quantization='dynamic_int8'."
        )
    else:
        fix = "The reason is the converter's own."

    return (
        "The model must be one that TensorFlow's converter takes. "
        f"Received: quantization={quantization!r} and a model that it "
        f"refuses. {fix}\n{reason[:1000]}"
    )


def _check_float32(walked: WalkedModel) -> None:
    """Raises a ValueError if a layer computes in float16 or bfloat16."""
    for layer in walked.layers:
        dtype = getattr(layer, "compute_dtype", None)
        if dtype in ("float16", "bfloat16"):
            raise ValueError(
                "LiteRT files compute in float32; the converter refuses "
                f"other floats. Received: the layer {layer.name!r} with "
                f"compute_dtype={dtype!r}. Build the model once more under "
                "the policy 'float32' and copy the weights: "
                "new.set_weights(model.get_weights())."
            )
