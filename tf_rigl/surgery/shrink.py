"""Shrinking: a smaller dense model without the dead units of a sparse one."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any
from typing import NamedTuple

from tf_rigl.backend import flavor as flavors
from tf_rigl.core import cells
from tf_rigl.core.text_table import RowSum
from tf_rigl.core.text_table import aligned
from tf_rigl.masking import tree
from tf_rigl.masking.deferred import is_deferred
from tf_rigl.surgery import analysis
from tf_rigl.surgery import channel_plan
from tf_rigl.surgery import rebuild

_HEADER = ("layer", "class", "units", "left", "weights", "left")


@dataclasses.dataclass(frozen=True)
class LayerShrinkage:
    """The sizes of one layer before and after."""

    path: str  # the layer's path in the model
    layer_class: str  # the name of its class
    # Its units, filters or features; None if it has none of its own or they
    # are not known.
    units: int | None
    units_left: int | None
    weights: int  # the number of elements of its weights
    weights_left: int
    # The distinct reasons why dead or constant units are kept, or why the
    # layer could not be followed.
    kept: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class ShrinkReport:
    """The units that `shrink` has cut and kept; `str()` makes a table.

    Attributes:
        name: the model's name.
        rows: a row for each layer with weights, in the model's order.
    """

    name: str
    rows: tuple[LayerShrinkage, ...]

    weights = RowSum("weights", "Elements of all weights before.")
    weights_left = RowSum("weights_left", "Elements of all weights after.")
    units = RowSum("units", "Units of all layers that make their own, before.")
    units_left = RowSum("units_left", "Those that are left.")

    def __str__(self) -> str:
        body = [
            (
                row.path,
                row.layer_class,
                *cells.counts(row.units, row.units_left),
                *cells.counts(row.weights, row.weights_left),
            )
            for row in self.rows
        ]

        totals = (self.units, self.units_left, self.weights, self.weights_left)
        total = ("total", "", *cells.counts(*totals))
        table = aligned(_HEADER, body, total, text_columns=2)

        kept = [
            f"- {row.path}: {'; '.join(row.kept)}"
            for row in self.rows
            if row.kept
        ]
        notes = ["", "Kept:", *kept] if kept else []

        return "\n".join([f"Model {self.name!r}", "", *table, *notes])


class Shrunk(NamedTuple):
    """The result of `shrink`."""

    model: Any  # the new, smaller model
    report: ShrinkReport  # the units that were cut and kept


def shrink(model: Any, compiled: bool = False) -> Shrunk:
    """Removes units and channels that are dead: without an input or a reader.

    A unit that reaches no output is cut. A unit that no input reaches is cut
    as well: it is constant, and its contribution to the next layer is added to
    the bias there, which is created if needed. The outputs at inference stay
    the same up to rounding. Further training differs, since batch statistics
    of a constant are not those of inference and dropout draws other numbers.

    The result is a new model, since weights of other shapes need new
    variables. To remove only the masks, in place, use `strip`.

    Channels are followed through the layers of Keras that keep them apart:
    dense, convolutional, separable, transposed, depthwise, embedding and
    recurrent layers, also within `TimeDistributed`, `SpectralNormalization` and
    `Bidirectional`; the heads of `MultiHeadAttention`; batch normalization,
    elementwise activations, dropout, pooling, cropping, padding, up-sampling,
    flattening, concatenations, sums, gates and other merges; preprocessing of
    images; shared layers and inner models. So are the functions of `keras.ops`
    and TensorFlow that do the same, slices and splits among them. A layer of
    your own takes part by `channel_rule`.

    Some channels go together or not at all: those that a sum or a depthwise
    convolution ties, those of one place in each group of a grouped
    convolution, the whole groups of `GroupNormalization`, and the units of one
    place in both directions of `Bidirectional`. A zero times a gate is zero. A
    constant that is not zero differs at the borders where a convolution pads
    with zeros, and attention and recurrent layers do not take it up, so its
    unit is kept.

    All other layers keep all channels that they read, and the report says so:
    layers that mix channels, such as `LayerNormalization` and softmax; layers
    with channels first; `GroupQueryAttention` and `Lambda`; custom layers
    without a rule. Recurrent layers keep units that no input reaches, since
    their values change from step to step.

    Args:
        model: a built functional or sequential model of either Keras, with or
            without masks. It is not changed. Values count, not masks: a grown
            connection that is still 0 does not connect.
        compiled: whether to compile the new model like the given one, with a
            new optimizer. Custom losses and metrics must be registered with
            Keras.

    Returns:
        The new model, of the same class, with the same names, inputs and
        outputs and without masks, and a `ShrinkReport`.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if the model is subclassed or not built, if it has
            frequencies or boundaries that tf_keras has adapted to data, or if
            `compiled` is true and the model is not compiled.

    Example:
        >>> small, report = tf_rigl.shrink(model)
        >>> print(report)
        >>> small.save("small.keras")
    """
    flavor = flavors.model_flavor(model)
    _check_supported(model)
    _check_has_no_open_sizes(flavor, model)

    compilation = model.get_compile_config() if compiled else None
    if compiled and not compilation:
        raise ValueError(
            "`compiled=True` needs a model that is compiled. Received: "
            f"model={model.name!r}, compiled=True. Leave `compiled` out."
        )

    plans = analysis.analyze(flavor, model)
    # The analysis has called layers to compute constants, which adds losses.
    model._clear_losses()
    smaller = rebuild.rebuild(model, plans)

    if compilation:
        smaller.compile_from_config(compilation)
    rows = tuple(_rows(model, smaller, plans))
    return Shrunk(smaller, ShrinkReport(model.name, rows))


def _check_has_no_open_sizes(flavor: flavors.Flavor, model: Any) -> None:
    """Raises a ValueError if a configuration does not say a layer's sizes.

    In tf_keras, frequencies and boundaries that `adapt` has found are not
    among it.
    """
    for node in tree.walk(flavor, model):
        own = flavor.own_weights(node.layer)
        if all(flavor.raw(one).shape.is_fully_defined() for one in own):
            continue
        raise ValueError(
            "A model is rebuilt by its configuration, in which tf_keras "
            "leaves out frequencies and boundaries that layers were adapted "
            f"to. Received: {node.layer.name!r} of {model.name!r}. Make that "
            "layer with `idf_weights=` or `bin_boundaries=` from the adapted "
            "one, or shrink the part of the model behind it."
        )


def _check_supported(model: Any) -> None:
    """Raises a ValueError unless the model has a graph of built layers."""
    if is_deferred(model) or not model.built:
        raise ValueError(
            "The model must be built. Received: "
            f"model={model.name!r}, which has no weights yet. Call it on a "
            "batch first."
        )

    if not flavors.is_container(model):
        raise ValueError(
            "Only functional and sequential models can shrink: the code of "
            "a subclassed model does not say which layer reads which. "
            f"Received: model={model.name!r} of "
            f"{flavors.plain_class(model)}. Make the same network of its "
            "layers as a functional model, `keras.Model(inputs, outputs)`, or "
            "shrink the functional models that it consists of."
        )

    if not hasattr(analysis.network_of(model), "_nodes_by_depth"):
        raise ValueError(
            "A sequential model must know the shape of its input. "
            f"Received: model={model.name!r}. Begin it with `keras.Input`."
        )


def _rows(
    model: Any, smaller: Any, plans: channel_plan.ChannelAnalysis
) -> Iterator[LayerShrinkage]:
    for path, old, new in rebuild.pairs(model, smaller):
        weights, left = (
            sum(
                math.prod(one.shape)
                for one in channel_plan.weights_below(plans.flavor, layer)
            )
            for layer in (old, new)
        )
        if not weights:
            continue

        plan = plans.of.get(id(old))
        outputs = plan.outputs if plan and plan.makes_units else None
        yield LayerShrinkage(
            path,
            flavors.plain_class(old).__name__,
            None if outputs is None else len(outputs),
            None if outputs is None else int(plans.needed[outputs].sum()),
            weights,
            left,
            plans.why_kept(old),
        )
