"""Training in low precision: weights, gradients, activations and errors.

`low_precision` overrides methods of three objects, and not of their classes:
those of layers and optimizers by `low_precision_rules`, and `compile` of the
model, so that another optimizer gets its own.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from tf_rigl.backend import flavor as flavors
from tf_rigl.backend import instance_methods
from tf_rigl.core import block_floating_point
from tf_rigl.core import checks
from tf_rigl.masking import layer_rules
from tf_rigl.masking import masked_weight
from tf_rigl.masking import model_weights
from tf_rigl.masking import tree
from tf_rigl.updating import train_functions
from tf_rigl.updating.low_precision_rules import LowPrecisionRules
from tf_rigl.updating.low_precision_rules import check_not_attached
from tf_rigl.updating.quantizer import Quantizer

_RECORD = "_tf_rigl_low_precision"
_NUMBERS = ("block",)
_BITS = (block_floating_point.MIN_BITS, block_floating_point.MAX_BITS)
_MAX_SEED = 2**32
_SHOWN = 3
# Compiled functions of the model, beside that of the training step.
_FUNCTIONS = ("test_function", "predict_function")


def low_precision(
    model: Any,
    bits: int = 8,
    number: str = "block",
    rounding: str = "stochastic",
    seed: int = 0,
    *,
    optimizer: Any = None,
) -> Any:
    """Trains a model in low precision from now on, simulated in floats.

    All numbers that meet in a product become block floating point numbers, as
    in SWALP: integers of `bits` bits, of which those of a block share a power
    of two.

    - Weights that are trained, at once and after each optimizer step, biases
      and γ as well. The blocks are units: the slices along the last axis of a
      Dense or Conv2D kernel, which is the first axis in PyTorch. There is no
      copy in full precision.
    - Gradients, before the step, and momentum after it, in the same blocks.
      Averages of squares, as Adam's, are left as they are: rounded to 0 they
      would be divided by.
    - Activations, where a layer with a kernel reads them, and in the backward
      pass the errors at the same places, straight through: the gradient of what
      the layer reads is quantized. Each example is a block. It happens in
      inference, too.

    Logits are not quantized, nor the output of any other layer before a layer
    with a kernel reads it; nor are statistics of BatchNormalization, sums, and
    moving averages of weights (`use_ema`). With stochastic rounding the mean of
    a quantized value is the value; random numbers depend on the seed, the
    weight's path, the optimizer's step and the replica alone, so the same call
    at the same step rounds alike.

    SWALP's average of weights, one of each epoch at the end, is left to the
    optimizer: `use_ema` keeps an exponential one in full precision.

    The settings are not saved with the model, whose class, layers and
    configuration do not change: call this again after loading. To search for a
    ticket at low precision and train it in full, as "LF" in the early-bird
    paper, call `full_precision` before the channels are cut.

    Args:
        model: a built model of either Keras, changed in place, of any class. It
            may be sparse, and zeros stay zero.
        bits: bits of each integer, from 3 to 16.
        number: `"block"`, block floating point.
        rounding: `"stochastic"` or `"nearest"`.
        seed: seed of the stochastic rounding, in [0, 2**32).
        optimizer: the optimizer of a loop of your own; by default that which
            the model is or will be compiled with.

    Returns:
        The same model.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if an argument is out of range; the model is not built, has
            no layer with a kernel, or a recurrent one; the optimizer has no
            `update_step`, or is attached already.

    Example:
        >>> tf_rigl.low_precision(model)
        >>> model.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss)
        >>> model.fit(data, epochs=160, callbacks=[tf_rigl.EarlyBird(0.5)])
        >>> tf_rigl.full_precision(model)

    Reference: Yang et al., "SWALP: Stochastic Weight Averaging in Low-Precision
    Training", ICML 2019, arXiv:1904.11943, algorithm 2.
    """
    flavor = flavors.model_flavor(model)
    checks.check_choice("number", number, _NUMBERS)
    checks.check_choice("rounding", rounding, block_floating_point.ROUNDINGS)
    _check_integer("bits", bits, *_BITS)
    _check_integer("seed", seed, 0, _MAX_SEED - 1)
    walked = model_weights.walk_model(model)
    masked_weight.check_stored_masked(
        masked_weight.masked_weights(model), "train in low precision"
    )
    layers = _layers_with_kernels(walked)
    if optimizer is None:
        optimizer = getattr(model, "optimizer", None)

    full_precision(model)
    if optimizer is not None:
        _check_optimizer(flavor, optimizer)
    weights = [
        one
        for one in model_weights.model_weights(walked)
        if one.dtype.is_floating
    ]
    quantizer = Quantizer(bits, rounding, seed)
    record = LowPrecisionRules(flavor, quantizer, layers, weights)
    model.__dict__[_RECORD] = record
    instance_methods.override(model, "compile", _compile)
    record.begin(model, optimizer)
    _forget_functions(model)
    return model


def full_precision(model: Any) -> Any:
    """Undoes `low_precision`; weights keep the values that they have.

    Args:
        model: a model of either Keras, returned unchanged if it is in full
            precision.

    Returns:
        The same model.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if its optimizer has been attached since.
    """
    flavors.model_flavor(model)
    record = model.__dict__.get(_RECORD)
    if record is not None:
        # A `fit` that was interrupted may have left its update rule.
        train_functions.end(model)
        record.end()
        instance_methods.restore(model, "compile")
        del model.__dict__[_RECORD]
        _forget_functions(model)
    return model


def check_full(nodes: Iterable[tree.Node]) -> None:
    """Checks that no model among layers is to be exported in low precision.

    Raises:
        ValueError: if one is: files would simulate it for good.
    """
    for node in nodes:
        if _RECORD in vars(node.layer):
            raise ValueError(
                "Files are of models in full precision. Received: "
                f"{node.layer.name!r}, which `low_precision` makes round what "
                "its layers read. Call `tf_rigl.full_precision` or "
                "`tf_rigl.strip` first; its weights keep their values."
            )


def _compile(model: Any, own: Any, *args: Any, **kwargs: Any) -> None:
    """Compiles the model and overrides the new optimizer's step."""
    record = model.__dict__[_RECORD]
    own(*args, **kwargs)
    optimizer = model.optimizer
    if optimizer is not None:
        _check_optimizer(flavors.model_flavor(model), optimizer)
    # Layers may have been thawed since.
    record.round_trained(model)
    record.train_by(optimizer)


def _forget_functions(model: Any) -> None:
    """Makes Keras trace the model's functions again."""
    train_functions.forget(model)
    for name in _FUNCTIONS:
        if getattr(model, name, None) is not None:
            setattr(model, name, None)


def _layers_with_kernels(walked: model_weights.WalkedModel) -> dict[str, Any]:
    """Returns the layers whose inputs meet a kernel, by path."""
    if not walked.is_built or not walked.model.built:
        raise ValueError(
            "A model must be built to be trained in low precision. Received: "
            f"model={walked.model.name!r}, which is not. Build it, or call it "
            "on a batch, first."
        )

    recurrent = [
        "/".join(node.path)
        for node in walked.nodes
        if layer_rules.known_class(node.layer, ("RNN",))
    ]
    if recurrent:
        raise ValueError(
            "Recurrent layers cannot be trained in low precision: each step of "
            "the sequence would need random numbers of its own. Received: "
            f"{recurrent[:_SHOWN]}. Train them in full precision."
        )

    found = {
        "/".join(node.path): node.layer
        for node in walked.nodes
        if layer_rules.sparsifiable_weights(node.layer)
    }
    if not found:
        raise ValueError(
            "Low precision needs layers with kernels. Received: "
            f"model={walked.model.name!r}, which has none that is known. "
            "Register own layers by `tf_rigl.masking.layer_rules.register`."
        )
    return found


def _check_optimizer(flavor: flavors.Flavor, optimizer: Any) -> None:
    for one in flavor.updating_optimizers(optimizer):
        if not hasattr(one, "update_step"):
            raise ValueError(
                "The optimizer must apply gradients by `update_step`. "
                f"Received: optimizer={one!r}, which has none. Use one of "
                f"`{flavor.keras.__name__}.optimizers`."
            )
        check_not_attached(one)


def _check_integer(name: str, value: Any, least: int, most: int) -> None:
    is_integer = isinstance(value, (int, np.integer))
    if isinstance(value, bool) or not is_integer or not least <= value <= most:
        raise ValueError(
            f"`{name}` must be an integer from {least} to {most}. "
            f"Received: {name}={value!r}."
        )
