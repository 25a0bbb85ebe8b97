"""Quantization-aware training of sparse models, based on TFMOT."""

import os
from types import ModuleType
from typing import Any

import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.updating.strip import strip

_CHOICE_OF_KERAS = "TF_USE_LEGACY_KERAS"


def quantize_aware(model: Any) -> Any:
    """Returns a copy of a sparse model for quantization-aware training.

    The copy simulates, in floats, how an int8 file will compute. Compile it,
    train it for some epochs and pass it to `export_litert` with
    `quantization="full_int8"`, which then needs no representative data. Zeros
    stay zero: each kernel gets a constraint that masks it after every step.
    (TFMOT's own scheme to preserve zeros misses some layers, such as
    convolutions that a ReLU layer follows.)

    Args:
        model: a built Sequential or functional model of tf_keras that contains
            no other models; sparse or stripped, and usually trained. It is not
            changed.

    Returns:
        A tf_keras model with TFMOT's quantization wrappers, not compiled.

    Raises:
        ImportError: if TFMOT is not installed.
        TypeError: if `model` is not a tf_keras model.
        ValueError: if the model is subclassed or not built, or has layers that
            TFMOT cannot quantize.

    Example:
        >>> trained = tf_rigl.quantize_aware(model)
        >>> trained.compile("sgd", loss)
        >>> trained.fit(data)
        >>> tf_rigl.export_litert(trained, "model.tflite", "full_int8")

    Reference: Jacob et al., "Quantization and Training of Neural Networks for
    Efficient Integer-Arithmetic-Only Inference", arXiv:1712.05877.
    """
    flavor = flavors.model_flavor(model)
    if flavor.name != "keras2":
        raise TypeError(
            "TFMOT quantizes tf_keras models. Received: a model of Keras 3, "
            f"{model.name!r}. Quantize it after training: pass "
            "representative_data to `export_litert`."
        )
    if not flavors.is_container(model) or not model.built:
        raise ValueError(
            "TFMOT quantizes Sequential and functional models that are built. "
            f"Received: model={model.name!r} of type {type(model)}. Quantize "
            "it after training: pass representative_data to `export_litert`."
        )

    # TFMOT chooses the quantization of a layer by its class, so the layers must
    # be plain ones.
    plain = flavor.keras.models.clone_model(model)
    plain.set_weights(model.get_weights())
    strip(plain)

    quantization = _import_tfmot().quantization.keras
    scheme = quantization.collab_opts.Default8BitPrunePreserveQuantizeScheme()
    with quantization.quantize_scope():
        try:
            annotated = quantization.quantize_annotate_model(plain)
            quantized = quantization.quantize_apply(annotated, scheme)
        except (RuntimeError, ValueError) as error:
            raise ValueError(
                "All layers must be some that TFMOT can quantize. Received: "
                f"model={model.name!r}; {error} Quantize it after training: "
                "pass representative_data to `export_litert`."
            ) from error

    _keep_zeros(flavor, quantized)
    return quantized


def _import_tfmot() -> ModuleType:
    """Imports TFMOT.

    The import sets an environment variable that makes the whole process use
    tf_keras as `tf.keras`; this is undone.
    """
    before = os.environ.get(_CHOICE_OF_KERAS)
    try:
        import tensorflow_model_optimization as tfmot
    finally:
        if before is None:
            os.environ.pop(_CHOICE_OF_KERAS, None)
        else:
            os.environ[_CHOICE_OF_KERAS] = before
    return tfmot


def _keep_zeros(flavor: flavors.Flavor, model: Any) -> None:
    """Sets a constraint on each kernel that keeps its present zeros."""
    for weight in model.trainable_weights:
        mask = flavor.raw(weight).numpy() != 0
        if mask.ndim > 1 and not mask.all():
            flavor.set_constraint(weight, _Masking(tf.constant(mask)))


class _Masking:
    """A constraint that sets masked values to zero."""

    def __init__(self, mask: tf.Tensor) -> None:
        self._mask = mask  # bool, of the weight's shape, true if kept

    def __call__(self, weight: Any) -> Any:
        return tf.where(self._mask, weight, tf.zeros_like(weight))
