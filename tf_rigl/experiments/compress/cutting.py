"""Large networks and what is left of them without some of their channels."""

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

import numpy as np

import tf_rigl
from tf_rigl.core import cells
from tf_rigl.experiments.compress import scale_cuts
from tf_rigl.experiments.compress.settings import WITH_DATA
from tf_rigl.experiments.compress.settings import CompressSettings
from tf_rigl.experiments.compress.settings import Target
from tf_rigl.experiments.runs import networks
from tf_rigl.experiments.runs import setup
from tf_rigl.experiments.runs import tasks
from tf_rigl.experiments.runs.choices import REPRODUCIBLE
from tf_rigl.experiments.runs.setup import PreparedRun


class Cut(NamedTuple):
    """What is left of a network."""

    model: Any
    masks: Mapping[str, np.ndarray]  # bool [channels] by path; see `cut`
    # The channels of each layer, and those left, by path.
    channels: dict[str, tuple[int, int]]


def build_large(
    run: PreparedRun, snapshot: tf_rigl.Snapshot | None = None
) -> Any:
    """Builds the large network, not compiled, with the weights of a snapshot.

    Without one, it has the first weights that its seed determines.
    """
    # A process trains many networks; this frees what those before have left.
    run.keras.backend.clear_session()
    model = networks.build(run.settings, run.keras, run.task)
    if snapshot is not None:
        snapshot.restore(model)
    return model


def prune(
    run: PreparedRun,
    compress: CompressSettings,
    target: Target,
    model: Any,
    criterion: str | None = None,
) -> Cut:
    """Removes channels of a network, as many as a target says.

    Raises:
        ValueError: if the network has not the layers of the target's, or no
            channels that may be removed.
    """
    criterion = criterion or compress.prune_criterion
    if compress.select and target.ratio is not None:
        masks = scale_cuts.draw_masks(
            model,
            target.ratio,
            compress.min_channels,
            seed=run.settings.seed if criterion == "random" else None,
        )
        small, report = scale_cuts.cut(model, masks)
        return _cut_of(small, report, masks)

    needs_data = criterion in WITH_DATA
    data = None
    if needs_data:
        data = setup.load_data(run).train.take(compress.score_batches)
    wanted: dict[str, Any] = {"ratio": target.ratio}
    if target.ratio is None:
        wanted = {"widths": _widths(run, target.name, model)}
    small, report = tf_rigl.prune_channels(
        model,
        **wanted,
        criterion=criterion,
        scope=compress.prune_scope,
        min_channels=compress.min_channels,
        data=data,
        loss=tasks.make_loss(run.keras, run.task) if needs_data else None,
        seed=run.settings.seed,
    )
    return _cut_of(small, report, report.masks)


def cut(model: Any, masks: Mapping[str, np.ndarray]) -> Any:
    """Returns a network without the channels that masks leave out.

    Masks of layers are of coupled channels, those of scales of the channels
    that each normalization reads; see `scale_cuts`.
    """
    if scale_cuts.are_of_scales(masks):
        smaller, _ = scale_cuts.cut(model, masks)
    else:
        smaller, _ = tf_rigl.prune_channels(model, masks=masks)
    return smaller


def describe(small: Cut, share: float) -> Iterator[str]:
    """Yields lines on what is left of a network.

    Args:
        small: what is left.
        share: the fraction of parameters left.
    """
    yield f"{cells.percent(share)} of parameters"
    narrow = [
        path
        for path, (before, left) in small.channels.items()
        if left == 1 < before
    ]
    if narrow:
        yield (
            f"a single channel is left of {', '.join(narrow)}, which all that "
            "follows reads; --min_channels keeps more"
        )


def redraw(run: PreparedRun, model: Any) -> Any:
    """Gives a network new weights, which the seed alone determines."""
    seed, how = run.settings.seed, run.settings.kernel_initializer
    tf_rigl.reinitialize(model, seed=seed)
    if how in REPRODUCIBLE:
        tf_rigl.reinitialize(model, how, seed=seed)
    return model


def _cut_of(small: Any, report: Any, masks: Mapping[str, np.ndarray]) -> Cut:
    channels = {
        row.path: (row.units, row.units_left)
        for row in report.rows
        if row.units is not None
    }
    return Cut(small, masks, channels)


def _widths(run: PreparedRun, name: str, model: Any) -> dict[str, int]:
    """Returns the filters that layers keep, by path, of those that lose some.

    Raises:
        ValueError: if the other network has other layers, or no fewer filters.
    """
    other = networks.make_network(
        name,
        run.keras,
        width=run.settings.width,
        **tasks.network_arguments(run.task),
    )
    ours, theirs = _filters(model), _filters(other)
    wider = [one for one in theirs if theirs[one] > ours.get(one, 0)]
    if ours.keys() != theirs.keys() or wider or ours == theirs:
        unlike = sorted(ours.keys() ^ theirs.keys()) or wider
        raise ValueError(
            "`pruned_models` must have the layers of `model`, with fewer "
            f"filters. Received: {name!r} for model={run.settings.model!r}, "
            f"which differ in {unlike[:3] or 'nothing'}. Name the network that "
            "it was pruned from."
        )
    return {one: left for one, left in theirs.items() if left < ours[one]}


def _filters(model: Any) -> dict[str, int]:
    """Returns the filters of convolutions, by the names of the layers."""
    return {
        layer.name: layer.filters
        for layer in model.layers
        if hasattr(layer, "filters")
    }
