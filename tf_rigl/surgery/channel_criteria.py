"""Scores of the channels of each group, by a criterion and maybe data."""

import contextlib
import dataclasses
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.core import channel_scores
from tf_rigl.core.checks import check_at_least
from tf_rigl.core.checks import check_choice
from tf_rigl.core.checks import check_integer
from tf_rigl.surgery.channel_groups import ChannelGroup
from tf_rigl.surgery.channel_plan import ChannelAnalysis
from tf_rigl.surgery.channel_plan import LayerPlan
from tf_rigl.updating import loss_gradients

Criterion = str | Callable[[ChannelGroup], Any]

NAMES = (
    "l1",
    "l2",
    "bn_scale",
    "taylor",
    "activation",
    "apoz",
    "fpgm",
    "random",
)
_NO_BATCH = (
    "`data` must hold at least one batch. Received: none. An iterator that has "
    "been used up has no more; pass a list or a dataset."
)
# Those whose scores of different layers have one unit, so that a global scope
# compares them as they are.
_OF_ONE_UNIT = ("bn_scale", "taylor", "apoz", "random")


@dataclasses.dataclass(frozen=True)
class Scoring:
    """How channels are scored; see `prune_channels` for the fields."""

    criterion: Criterion = "l1"
    reduce: str = "mean"
    normalize: str | None = "auto"
    data: Iterable[Any] | None = None
    loss: Any = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not callable(self.criterion):
            check_choice("criterion", self.criterion, NAMES)
        check_choice("reduce", self.reduce, channel_scores.REDUCTIONS)
        check_choice("normalize", self.normalize, ("auto", "mean", None))
        check_integer("seed", self.seed, "of random scores")
        check_at_least("seed", self.seed, 0)
        if self.criterion in ("taylor", "activation", "apoz"):
            _check_data(self.criterion, self.data)

    @property
    def normalizes(self) -> bool:
        """Whether the scores of each member are divided by their mean."""
        if self.normalize == "auto":
            named = not callable(self.criterion)
            return named and self.criterion not in _OF_ONE_UNIT
        return self.normalize == "mean"


def score_groups(
    model: Any,
    plans: ChannelAnalysis,
    groups: Sequence[ChannelGroup],
    scoring: Scoring,
) -> list[np.ndarray | None]:
    """Returns the scores of each group, None if the criterion has none.

    Raises:
        ValueError: if data or a loss is missing, or a score is not finite.
    """
    criterion = scoring.criterion
    if callable(criterion):
        members = [[_as_scores(group, criterion(group))] for group in groups]
    elif criterion in channel_scores.OF_KERNELS:
        function = channel_scores.OF_KERNELS[criterion]
        members = [
            [function(one.slices()) for one in group.kernels]
            for group in groups
        ]
    elif criterion == "bn_scale":
        members = [
            [channel_scores.l1(one.slices()) for one in group.scales]
            for group in groups
        ]
    elif criterion == "random":
        random = np.random.default_rng(scoring.seed)
        members = [[random.random(group.channels)] for group in groups]
    elif criterion == "taylor":
        members = _loss_changes(model, groups, scoring)
    else:
        members = _activations(model, plans, groups, scoring)

    scores = [
        channel_scores.combine(some, scoring.reduce, scoring.normalizes)
        if some
        else None
        for some in members
    ]
    _check_finite(groups, scores, criterion)
    return scores


def _as_scores(group: ChannelGroup, given: Any) -> np.ndarray:
    try:
        scores = np.asarray(given, np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "A criterion must return one score a channel, numbers. Received: "
            f"criterion(group)={given!r} for {group.name!r}."
        ) from error
    if scores.shape != (group.channels,):
        raise ValueError(
            "A criterion must return one score a channel. Received: "
            f"criterion(group) of shape {scores.shape} for the "
            f"{group.channels} channels of {group.name!r}."
        )
    return scores


def _check_finite(
    groups: Sequence[ChannelGroup],
    scores: Sequence[np.ndarray | None],
    criterion: Criterion,
) -> None:
    for group, some in zip(groups, scores, strict=True):
        if some is not None and not np.isfinite(some).all():
            raise ValueError(
                "Scores must be finite. Received: "
                f"criterion={criterion!r} with {some} for {group.name!r}. "
                "Check the values of the model and of the data."
            )


def _check_data(criterion: Any, data: Any) -> None:
    if data is None:
        raise ValueError(
            f"The criterion {criterion!r} needs `data`. Received: data=None. "
            "Pass batches of inputs and labels, such as `dataset.take(10)`."
        )
    is_pair = isinstance(data, tuple) and all(
        hasattr(one, "shape") for one in data
    )
    if is_pair or not isinstance(data, Iterable) or hasattr(data, "shape"):
        raise TypeError(
            "`data` must be batches of inputs and labels, such as "
            f"`dataset.take(10)`. Received: data of {type(data)}. Pass a list "
            "of pairs of arrays."
        )


def _loss_changes(
    model: Any, groups: Sequence[ChannelGroup], scoring: Scoring
) -> list[list[np.ndarray]]:
    """Sums the squared changes of the loss over batches, for each member.

    A member is a normalization with γ and β or, without any, a kernel.
    """
    if scoring.loss is None and len(model.outputs) > 1:
        raise ValueError(
            "A model of several outputs needs a `loss` of all of them. "
            f"Received: loss=None for {model.name!r} with outputs "
            f"{model.output_names}. Pass a function of labels and outputs that "
            "adds up their losses."
        )
    loss = scoring.loss or loss_gradients.compiled_loss(model)
    if isinstance(loss, str):
        loss = flavors.flavor_of(model).keras.losses.get(loss)
    if loss is None:
        raise ValueError(
            "The criterion 'taylor' needs gradients and so a loss. Received: "
            f"loss=None and a model compiled with {_compiled_loss(model)}. "
            "Pass a function of labels and outputs."
        )

    parts = [list(_taylor_parts(group)) for group in groups]
    flat = [one for some in parts for part in some for one in part]
    flavor = flavors.flavor_of(model)
    variables = [flavor.raw(one.variable) for one in flat]
    sums = [
        [np.zeros(group.channels) for _ in some]
        for group, some in zip(groups, parts, strict=True)
    ]
    batches = 0
    for batch in scoring.data or ():
        batches += 1
        found = loss_gradients.gradients_of(model, variables, [batch], loss)
        gradients = iter(found)
        for own, some in zip(sums, parts, strict=True):
            for total, part in zip(own, some, strict=True):
                total += channel_scores.loss_change(
                    [
                        (one.slices(), one.slices(next(gradients).numpy()))
                        for one in part
                    ]
                )
    if not batches:
        raise ValueError(_NO_BATCH)
    return sums


def _compiled_loss(model: Any) -> str:
    loss = getattr(model, "loss", None)
    return "no loss" if loss is None else f"loss={loss!r}"


def _taylor_parts(group: ChannelGroup) -> Iterator[list[Any]]:
    """Yields the weights that are scored together."""
    shifts = {id(one.layer): one for one in group.members if one.name == "beta"}
    for scale in group.scales:
        shift = shifts.get(id(scale.layer))
        yield [scale] if shift is None else [scale, shift]
    if not group.scales:
        for kernel in group.kernels:
            yield [kernel]


def _activations(
    model: Any,
    plans: ChannelAnalysis,
    groups: Sequence[ChannelGroup],
    scoring: Scoring,
) -> list[list[np.ndarray]]:
    """Returns the mean statistic of what each layer reads of a group.

    It is the mean of |a| over examples and positions, or the share of values
    other than 0.
    """
    statistic = np.abs if scoring.criterion == "activation" else np.sign
    # A wrapper has the connections of the layer within, which it may use
    # without calling it; attention reads three tensors.
    readers = list(
        {
            id(plan.connections): plan
            for plan in plans.of.values()
            if plan.connections and not len(plan.inner)
        }.values()
    )
    means = _mean_inputs(model, readers, scoring.data or (), statistic)

    roots = plans.graph.roots()
    members = []
    for group in groups:
        found = []
        for plan, features in zip(readers, means, strict=True):
            own = roots[plan.inputs]
            if np.isin(group.roots, own).all():
                found.append(
                    np.array(
                        [features[own == root].mean() for root in group.roots]
                    )
                )
        members.append(found)
    return members


def _mean_inputs(
    model: Any,
    readers: Sequence[LayerPlan],
    data: Iterable[Any],
    statistic: Callable[[np.ndarray], np.ndarray],
) -> list[np.ndarray]:
    """Returns the mean over data of a statistic of what layers read.

    Each is float64 [features]. The model is called for inference.
    """
    sums = {id(plan.layer): np.zeros(len(plan.inputs)) for plan in readers}
    counts = dict.fromkeys(sums, 0)
    places = {id(plan.layer): plan.axis for plan in readers}

    def record(layer: Any, inputs: Any) -> None:
        values = np.abs(statistic(np.asarray(inputs, np.float64)))
        values = np.moveaxis(values, places[id(layer)], -1)
        rows = values.reshape(-1, values.shape[-1])
        sums[id(layer)] += rows.sum(axis=0)
        counts[id(layer)] += len(rows)

    with contextlib.ExitStack() as stack:
        for plan in readers:
            cls = _recording_class(type(plan.layer), record)
            stack.enter_context(flavors.of_class(plan.layer, cls))
        for batch in data:
            inputs = batch[0] if isinstance(batch, (tuple, list)) else batch
            model(tf.nest.map_structure(tf.convert_to_tensor, inputs))

    if not all(counts.values()):
        raise ValueError(_NO_BATCH)
    return [sums[key] / counts[key] for key in sums]


def _recording_class(cls: Any, record: Callable[[Any, Any], None]) -> type:
    """Makes a subclass of a layer class that records what it is called on."""

    def call(layer: Any, inputs: Any, *arguments: Any, **keywords: Any) -> Any:
        record(layer, inputs)
        return cls.__call__(layer, inputs, *arguments, **keywords)

    return type(
        cls.__name__, (cls,), {"__call__": call, "__module__": cls.__module__}
    )
