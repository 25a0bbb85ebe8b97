"""Removal of the least important channels of a model, coupled ones together."""

import dataclasses
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

import numpy as np

from tf_rigl.backend import flavor as flavors
from tf_rigl.core import cells
from tf_rigl.core import checks
from tf_rigl.core import text_table
from tf_rigl.core.channel_selection import Limits
from tf_rigl.masking.masked_weight import check_stored_masked
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.surgery import analysis
from tf_rigl.surgery import channel_criteria
from tf_rigl.surgery import channel_groups
from tf_rigl.surgery import channel_masks
from tf_rigl.surgery import channel_plan
from tf_rigl.surgery import channel_targets
from tf_rigl.surgery import optimizer_state
from tf_rigl.surgery import shrink
from tf_rigl.surgery import supported_models
from tf_rigl.surgery.channel_costs import ChannelCosts
from tf_rigl.surgery.channel_groups import ChannelGroup


@dataclasses.dataclass(frozen=True)
class ChannelReport(shrink.ShrinkReport):
    """The channels that `prune_channels` has removed and kept.

    Attributes:
        name: the model's name.
        rows: a row for each layer with weights, in the model's order.
        macs: multiply-accumulates of one example before; None if the model
            leaves sizes open.
        macs_left: the same after.
        mixing: the layers, such as LayerNormalization, that compute their
            statistics of fewer channels now, so that outputs are not those of
            channels set to zero.
        masks: which of the channels that a layer writes are kept, bool
            [channels] by the layer's path, and which heads of an attention
            layer, bool [heads], by the path of its "value/kernel";
            `prune_channels` takes them, too.
    """

    macs: int | None = None
    macs_left: int | None = None
    mixing: tuple[str, ...] = ()
    masks: Mapping[str, np.ndarray] = dataclasses.field(
        default_factory=dict, repr=False
    )

    def __str__(self) -> str:
        lines = [super().__str__()]
        if self.macs is not None:
            macs = cells.counts(self.macs, self.macs_left)
            lines += ["", "MACs: {}, left {}".format(*macs)]
        if self.mixing:
            text = f"Statistics of fewer channels: {', '.join(self.mixing)}"
            lines += ["", text_table.paragraph(text)]
        return "\n".join(lines)


class PrunedChannels(NamedTuple):
    """The result of `prune_channels`."""

    model: Any  # the new, smaller model
    report: ChannelReport  # the channels that were removed and kept


def prune_channels(
    model: Any,
    ratio: float | None = None,
    *,
    criterion: channel_criteria.Criterion = "l1",
    scope: str = "layer",
    reduce: str = "mean",
    normalize: str | None = "auto",
    keep: Iterable[Any] = (),
    min_channels: int = 1,
    max_ratio: float = 1.0,
    round_to: int = 1,
    data: Iterable[Any] | None = None,
    loss: Any = None,
    seed: int = 0,
    widths: Mapping[str, int] | None = None,
    parameters: int | None = None,
    flops: int | None = None,
    masks: Mapping[str, Any] | None = None,
    compiled: bool = False,
) -> PrunedChannels:
    """Removes the channels that matter least; coupled channels go together.

    The result is a new, smaller model of plain Keras layers, for any runtime.
    Its outputs are those of the given model with the removed channels set to
    zero: their columns of kernels, biases, γ, β and moving means. A constant
    that comes of it, as of a sigmoid, goes into the bias of the layers that
    read it; where it cannot, the channel stays and the report says so. Train
    the smaller model on to regain accuracy.

    Layers that normalize over channels, such as LayerNormalization, compute
    something else of fewer channels; the report names them.

    Which channels depend on each other, `channel_groups` finds out; a channel
    of a residual stream is removed in all layers of the stream. Criteria score
    the channels, and the highest scores stay; of equal scores the lowest index
    goes first:

    - `"l1"`, `"l2"`: the norm of the unit's kernel (Li et al.,
      arXiv:1608.08710).
    - `"bn_scale"`: |γ| of the normalization (Liu et al., arXiv:1708.06519).
    - `"taylor"`: the squared change of the loss without the channel, to first
      order: (γ ∂L/∂γ + β ∂L/∂β)², or (Σ w ∂L/∂w)² of a kernel without
      normalization, summed over batches (Molchanov et al., arXiv:1906.10771).
    - `"activation"`: the mean magnitude of what other layers read of it;
      `"apoz"`: the share of values other than 0 (Hu et al., arXiv:1607.03250).
    - `"fpgm"`: the distance of the kernel to those of all other units (He et
      al., arXiv:1811.00250).
    - `"random"`: random scores.
    - A function that takes a `ChannelGroup` and returns its scores, float
      [channels].

    One of `ratio`, `widths`, `parameters`, `flops` and `masks` says how many.

    Args:
        model: a built functional or sequential model of either Keras, trained
            or not, with or without masks. It is not changed.
        ratio: the fraction of channels to remove, in [0, 1]: of each group of
            c channels, c − ⌊ratio · c⌋ stay.
        criterion: the score, as listed above.
        scope: `"layer"` compares the channels of one group; `"global"`
            compares all and removes exactly ⌊ratio · n⌋ of n, unless limits
            forbid it.
        reduce: how the scores of coupled layers become one: `"mean"`, `"sum"`
            or `"max"`.
        normalize: `"mean"` divides the scores of each layer by their mean,
            None does not; `"auto"` does for criteria whose scores depend on
            the size of the layer: l1, l2, fpgm and activation.
        keep: layers, or their paths, that keep all channels that they make.
        min_channels: the fewest channels that a group keeps, at least 1.
        max_ratio: the largest fraction of a group that is removed, in [0, 1].
        round_to: the numbers of channels left are rounded up to a multiple of
            it, or to all of them.
        data: batches `(inputs, labels)` for taylor, activation and apoz.
        loss: a function of labels and outputs for taylor, or the name of one
            of Keras; by default the loss that the model was compiled with.
        seed: the seed of random scores.
        widths: the number of channels to keep, by the path of a layer; heads
            of attention by that of a projection, such as "mha/value". All
            other layers keep theirs.
        parameters: the most elements of all weights that the result may have,
            as `profile` counts. The ratio is found by bisection: the result is
            the largest model that fits.
        flops: the same for the FLOPs of one example.
        masks: which channels to keep, bool [channels] by the path of a layer
            or of a weight of it, such as "bn/gamma"; a mask of a whole weight,
            as `tf_rigl.masks` returns them, keeps what has any connection. A
            channel goes if all masks that have it say so. Those of the
            projections of attention to queries, keys and values are of heads.
        compiled: whether to compile the new model like the given one. Its
            optimizer goes on with the same number of steps, learning rate and,
            of all that is left, slots. Custom losses and metrics must be
            registered with Keras.

    Returns:
        The new model, of the same class, with the same names, inputs and
        outputs and without masks, and a `ChannelReport`.

    Raises:
        TypeError: if `model` is a model of neither Keras, or an argument has
            another type.
        ValueError: if the model is subclassed, not built or without channels
            that may be removed; if not exactly one target is given; if a
            target cannot be reached; if a criterion or path is unknown; if
            data or a loss is missing; or if `compiled` is true and the model
            is not compiled.

    Example:
        >>> small, report = tf_rigl.prune_channels(model, 0.5)
        >>> small, report = tf_rigl.prune_channels(
        ...     model, flops=100_000_000, criterion="taylor", data=batches
        ... )
        >>> print(report)
    """
    flavor = flavors.model_flavor(model)
    check_stored_masked(masked_weights(model), "prune channels")
    supported_models.check(model)
    supported_models.check_sizes(flavor, model)
    target = channel_targets.one_target(
        ratio=ratio,
        widths=widths,
        parameters=parameters,
        flops=flops,
        masks=masks,
    )
    limits = _limits(min_channels, max_ratio, round_to)
    checks.check_choice("scope", scope, ("layer", "global"))
    scoring = channel_criteria.Scoring(
        criterion, reduce, normalize, data, loss, seed
    )
    compilation = shrink.compilation_of(model, compiled)

    plans = analysis.analyze(flavor, model, exact=False)
    groups = _without(keep, model, channel_groups.find_groups(plans))
    groups, scores = _scored(model, plans, groups, scoring)
    # Calls of layers, for constants and for scores, have added losses.
    model._clear_losses()

    costs = _costs(model, plans)
    request = channel_targets.Request(
        plans, groups, scores, scope == "global", limits, costs
    )
    smaller = channel_targets.reach(model, request, *target)

    if compilation:
        optimizer_state.compile_alike(model, smaller, compilation, plans)
    rows = tuple(shrink.layer_rows(model, smaller, plans))
    whole = np.zeros(len(plans.needed), bool)
    macs, macs_left = (
        None if costs is None or costs.open_layers else costs.macs(removed)
        for removed in (whole, ~plans.needed)
    )
    kept = {
        path: plans.needed[channels]
        for path, channels in channel_masks.made_channels(plans)
    }
    mixing = dict.fromkeys(
        path
        for channels, path in plans.mixing
        if not plans.needed[channels].all()
    )
    report = ChannelReport(
        model.name, rows, macs, macs_left, tuple(mixing), kept
    )
    return PrunedChannels(smaller, report)


def _limits(min_channels: int, max_ratio: float, round_to: int) -> Limits:
    checks.check_positive("min_channels", min_channels)
    checks.check_positive("round_to", round_to)
    checks.check_fraction(
        "max_ratio", max_ratio, "the largest share of channels to remove"
    )
    return Limits(min_channels, max_ratio, round_to)


def _without(
    keep: Iterable[Any], model: Any, groups: list[ChannelGroup]
) -> list[ChannelGroup]:
    """Keeps the groups that the given layers make.

    Raises:
        ValueError: if a layer makes no channels of this model.
    """
    if isinstance(keep, str) or not isinstance(keep, Iterable):
        keep = [keep]
    kept: set[int] = set()
    for one in keep:
        found = {
            index
            for index, group in enumerate(groups)
            if any(_is_of(member, one) for member in group.kernels)
        }
        if not found:
            makers = sorted({path for one in groups for path in one.makers})
            raise ValueError(
                "`keep` must name layers that make channels. Received: "
                f"{one!r} for model={model.name!r}. Such layers are {makers}."
            )
        kept |= found
    return [
        dataclasses.replace(group, kept=(*group.kept, "named in `keep`"))
        if index in kept
        else group
        for index, group in enumerate(groups)
    ]


def _is_of(member: channel_groups.ChannelMember, layer: Any) -> bool:
    if isinstance(layer, str):
        return member.path.startswith(f"{layer}/")
    return member.layer is layer


def _scored(
    model: Any,
    plans: channel_plan.ChannelAnalysis,
    groups: list[ChannelGroup],
    scoring: channel_criteria.Scoring,
) -> tuple[list[ChannelGroup], list[np.ndarray]]:
    """Scores the groups that may lose channels; keeps those without a score.

    Raises:
        ValueError: if no group may lose channels.
    """
    free = [group for group in groups if not group.kept]
    found = iter(channel_criteria.score_groups(model, plans, free, scoring))
    scores = []
    for index, group in enumerate(groups):
        own = np.zeros(group.channels) if group.kept else next(found)
        if own is None:
            why = f"has no {_MISSING.get(str(scoring.criterion), 'score')}"
            groups[index] = dataclasses.replace(group, kept=(why,))
            own = np.zeros(group.channels)
        scores.append(own)

    if all(group.kept for group in groups):
        reasons = "; ".join(
            f"{group.name}: {', '.join(group.kept)}" for group in groups
        )
        raise ValueError(
            "The model must have channels that may be removed. Received: "
            f"model={model.name!r}, criterion={scoring.criterion!r}. Kept "
            f"are {reasons or 'all, for no layer has channels'}. Prune "
            "the part of the model before those layers, or use another "
            "criterion."
        )
    return groups, scores


_MISSING = {
    "bn_scale": "scale (gamma) of a normalization",
    "activation": "layer whose inputs are known",
    "apoz": "layer whose inputs are known",
}


def _costs(
    model: Any, plans: channel_plan.ChannelAnalysis
) -> ChannelCosts | None:
    """Returns the costs of a model, None if it leaves sizes open."""
    try:
        return ChannelCosts(model, plans)
    except ValueError:
        return None
