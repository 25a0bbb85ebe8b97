"""Shrinking: a smaller dense model without the dead units of a sparse one."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any
from typing import NamedTuple

import numpy as np

from tf_rigl.backend import flavor as flavors
from tf_rigl.core import cells
from tf_rigl.core.checks import check_choice
from tf_rigl.core.text_table import RowSum
from tf_rigl.core.text_table import aligned
from tf_rigl.factors import plain_layers
from tf_rigl.masking import masked_for_now
from tf_rigl.surgery import analysis
from tf_rigl.surgery import channel_plan
from tf_rigl.surgery import layer_pairs
from tf_rigl.surgery import optimizer_state
from tf_rigl.surgery import rebuild
from tf_rigl.surgery import supported_models

_HEADER = ("layer", "class", "units", "left", "weights", "left")
_CONSTANTS = (
    "",
    "Channels of masked kernels go with bias, γ, β and moving mean, so with",
    "such constants, by `prune_channels(model, masks=tf_rigl.masks(model))`.",
    "Outputs change then: train on.",
)


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
    # The number of channels that a selection in front of it lets through and
    # the number that there are; None without a selection.
    selected: tuple[int, int] | None = None
    gone: bool = False  # whether it went with a branch that added a constant
    # The heads of attention that are left and the number that there were.
    heads: tuple[int, int] | None = None


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
            (row.path, "; ".join(row.kept)) for row in self.rows if row.kept
        ]
        selected = [
            (row.path, "reads {:,} of {:,} channels".format(*row.selected))
            for row in self.rows
            if row.selected
        ]
        gone = [
            (row.path, "its branch adds a constant")
            for row in self.rows
            if row.gone
        ]
        heads = [
            (row.path, "{:,} of {:,} are left".format(*row.heads))
            for row in self.rows
            if row.heads and row.heads[0] < row.heads[1]
        ]
        notes = [
            *_noted("Heads:", heads),
            *_noted("Kept:", kept),
            *(_CONSTANTS if _keeps_constants(kept) else ()),
            *_noted("Selected:", selected),
            *_noted("Gone:", gone),
        ]

        return "\n".join([f"Model {self.name!r}", "", *table, *notes])


def _keeps_constants(kept: list[tuple[str, str]]) -> bool:
    return any(channel_plan.CONSTANT in reason for _, reason in kept)


def _noted(title: str, entries: list[tuple[str, str]]) -> list[str]:
    """Lists layers and what is to be said of each, if there are any."""
    lines = [f"- {path}: {text}" for path, text in entries]
    return ["", title, *lines] if lines else []


class Shrunk(NamedTuple):
    """The result of `shrink`."""

    model: Any  # the new, smaller model
    report: ShrinkReport  # the units that were cut and kept


@masked_for_now.stored_masked
def shrink(
    model: Any, compiled: bool = False, select: str | bool = "auto"
) -> Shrunk:
    """Removes units and channels that are dead: without an input or a reader.

    A unit that reaches no output is cut. A unit that no input reaches is cut
    as well: it is constant, and its contribution to the next layer is added to
    the bias there, which is created if needed. The outputs at inference stay
    the same up to rounding. Further training differs, since batch statistics
    of a constant are not those of inference and dropout draws other numbers.

    Where a batch normalization is read in fewer channels than there are in
    front of it, as in pre-activation ResNets and DenseNets, a selection is put
    there: a gather on the last axis, an operation of Keras whose indices are no
    weights. A branch of a sum that is constant goes entirely.

    The result is a new model, since weights of other shapes need new
    variables. To remove only the masks, in place, use `strip`.

    Channels are followed through the layers of Keras that keep them apart:
    dense, convolutional, separable, transposed, depthwise, embedding and
    recurrent layers, also within `TimeDistributed`, `SpectralNormalization` and
    `Bidirectional`; the heads of `MultiHeadAttention` and
    `GroupQueryAttention`, there with all of their queries; batch normalization,
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
    layers that mix channels, such as `LayerNormalization` and softmax;
    `Attention` and `Lambda`; custom layers without a rule. Recurrent layers
    keep units that no input reaches, since their values change from step to
    step.

    Args:
        model: a built functional or sequential model of either Keras, with or
            without masks. It is not changed. Values count, not masks: a grown
            connection that is still 0 does not connect.
        compiled: whether to compile the new model like the given one. Its
            optimizer goes on with the same number of steps, learning rate and,
            of all that is left, slots. Custom losses and metrics must be
            registered with Keras.
        select: `"auto"` to put selections wherever they save weights, False
            to put none.

    Returns:
        The new model, of the same class, with the same names, inputs and
        outputs and without masks, and a `ShrinkReport`. A selection in front
        of the layer `bn` is called `bn_selection`.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if the model is subclassed or not built, if it has
            frequencies or boundaries that tf_keras has adapted to data, if
            `compiled` is true and the model is not compiled or has factors, or
            if `select` is none of the above.

    Example:
        >>> small, report = tf_rigl.shrink(model)
        >>> print(report)
        >>> small.save("small.keras")
    """
    check_choice("select", select, ("auto", False))
    flavor = flavors.model_flavor(model)
    supported_models.check(model, factors=True)
    supported_models.check_sizes(flavor, model)
    if compiled and plain_layers.has_factors(model):
        raise ValueError(
            "An optimizer has slots of factors, not of the layers that they "
            f"become. Received: compiled=True for {model.name!r}, which has "
            "factors. Leave it out and compile the new model."
        )
    model = plain_layers.copy(model)

    compilation = compilation_of(model, compiled)
    plans = analysis.analyze(
        flavor, model, select=select == "auto", cut_branches=True
    )
    # The analysis has called layers to compute constants, which adds losses.
    model._clear_losses()
    smaller = rebuild.rebuild(model, plans)

    if compilation:
        optimizer_state.compile_alike(model, smaller, compilation, plans)
    rows = tuple(layer_rows(model, smaller, plans))
    return Shrunk(smaller, ShrinkReport(model.name, rows))


def compilation_of(model: Any, compiled: bool) -> dict[str, Any] | None:
    """Returns how to compile the new model, None if it is not to be."""
    if not compiled:
        return None
    compilation: dict[str, Any] | None = model.get_compile_config()
    if not compilation:
        raise ValueError(
            "`compiled=True` needs a model that is compiled. Received: "
            f"model={model.name!r}, compiled=True. Leave `compiled` out."
        )
    optimizers = flavors.model_flavor(model).updating_optimizers(
        model.optimizer
    )
    if not all(hasattr(one, "update_step") for one in optimizers):
        raise ValueError(
            "`compiled=True` needs an optimizer whose state is known. "
            f"Received: model={model.name!r} with {model.optimizer!r}, which "
            "has no `update_step`. Use the one of the same name in "
            "`tf_keras.optimizers`, or leave `compiled` out and compile the "
            "new model."
        )
    return compilation


def layer_rows(
    model: Any, smaller: Any, plans: channel_plan.ChannelAnalysis
) -> Iterator[LayerShrinkage]:
    """Yields the sizes of each layer with weights, before and after."""
    for path, old, new in layer_pairs.pairs(model, smaller):
        weights, left = (
            sum(
                math.prod(one.shape)
                for one in channel_plan.weights_below(plans.flavor, layer)
            )
            for layer in (old, new)
        )
        if not weights:
            continue

        plan = plans.of.get(id(old)) or plans.gone.get(id(old))
        outputs = plan.outputs if plan and plan.makes_units else None
        units_left = 0
        if outputs is not None and new is not None:
            units_left = int(plans.needed[outputs].sum())
        selected = heads = None
        if plan is not None and new is not None:
            selected = _selected(plan, plans.needed)
            if len(plan.inner):
                kept = int(plans.needed[plan.inner].sum())
                heads = kept, len(plan.inner)
        yield LayerShrinkage(
            path,
            flavors.plain_class(old).__name__,
            None if outputs is None else len(outputs),
            None if outputs is None else units_left,
            weights,
            left,
            plans.why_kept(old),
            selected,
            new is None,
            heads,
        )


def _selected(
    plan: channel_plan.LayerPlan, needed: np.ndarray
) -> tuple[int, int] | None:
    indices = plan.selection(needed)
    if indices is None:
        return None
    return len(indices), int(needed[plan.inputs].sum())
