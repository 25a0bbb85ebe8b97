"""Statistics of the masks of a sparse model, by weight and in total."""

import dataclasses
import math
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_rigl.core import cells
from tf_rigl.core import diagnostics
from tf_rigl.core import text_table
from tf_rigl.diagnostics import connection_statistics
from tf_rigl.diagnostics import mask_overlap
from tf_rigl.masking import mask_history
from tf_rigl.masking import storage_choice
from tf_rigl.masking.layer_config import config_of
from tf_rigl.masking.layer_config import initial_mask
from tf_rigl.masking.layer_rules import kernel_layout
from tf_rigl.masking.mask_store import ATTRIBUTE
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.masked_weight import require_masked_weights

# Two tables, since one would be too wide to read.
_MASKS = (
    "weight",
    "shape",
    "connections",
    "density",
    "dead units",
    "unused inputs",
)
_UPDATES = (
    "weight",
    "moved",
    "kept last",
    "explored",
    "since start",
    "kept |g|",
    "grown |g|",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MaskStatistics:
    """Statistics of one mask or of several together; None if not known.

    Attributes:
        size: the number of positions.
        connections: the number of active positions.
        inputs: the number of inputs, whatever the positions of a kernel.
        unused_inputs: the number of inputs not connected to any unit.
        units: the number of units.
        dead_units: the number of units not connected to any input.
        updates: mask updates so far; for several weights, the maximum.
        moved: connections that all mask updates so far have grown.
        skipped_updates: mask updates skipped because a gradient was not
            finite.
        start_connections: active connections at the start.
        connections_since_start: active connections that were active then.
        ever_active: positions that have been active at any time.
        last_connections: active connections after the last mask update.
        last_kept: connections that the last mask update kept.
        kept_gradient_norm: L2 norm of the gradient that the last update
            received for the connections that it kept.
        grown_gradient_norm: the same for the connections that it grew.
    """

    size: int
    connections: int
    inputs: int
    unused_inputs: int
    units: int
    dead_units: int
    updates: int
    moved: int
    skipped_updates: int
    start_connections: int | None = None
    connections_since_start: int | None = None
    ever_active: int | None = None
    last_connections: int | None = None
    last_kept: int | None = None
    kept_gradient_norm: float | None = None
    grown_gradient_norm: float | None = None

    @property
    def density(self) -> float:
        """Fraction of the positions that are active, in [0, 1]."""
        return self.connections / self.size

    @property
    def sparsity(self) -> float:
        """Fraction of the positions that are masked, in [0, 1]."""
        return 1 - self.connections / self.size

    @property
    def exploration(self) -> float | None:
        """The in-time over-parameterization rate R_s, in [0, 1].

        The fraction of the positions that have been active at any time.

        Reference: Liu et al., "Do We Actually Need Dense
        Over-Parameterization? In-Time Over-Parameterization in Sparse
        Training", ICML 2021, arXiv:2102.02887, section 3.
        """
        return _ratio(self.ever_active, self.size)

    @property
    def overlap_start(self) -> float | None:
        """Fraction of the active connections that were active at the start.

        It is |A ∩ B| / |A| with the current mask A and the first one B.
        """
        return _ratio(self.connections_since_start, self.connections)

    @property
    def jaccard_start(self) -> float | None:
        """|A ∩ B| / |A ∪ B| for the current mask A and the first one B."""
        both = self.connections_since_start
        if both is None or self.start_connections is None:
            return None
        return mask_overlap.jaccard(
            self.connections, self.start_connections, both
        )

    @property
    def overlap_previous(self) -> float | None:
        """Fraction of the active connections that the last update kept."""
        return _ratio(self.last_kept, self.last_connections)

    def to_dict(self) -> dict[str, int | float | None]:
        """Returns the numbers and the rates as plain values, by name."""
        return {name: getattr(self, name) for name in NUMBERS}


# The rates, then the numbers from which they are computed.
NUMBERS = (
    "density",
    "exploration",
    "overlap_start",
    "jaccard_start",
    "overlap_previous",
    *(field.name for field in dataclasses.fields(MaskStatistics)),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class WeightDiagnostics(MaskStatistics):
    """Statistics of the mask of one weight.

    Attributes:
        path: the weight's path, as in `masks(model)`.
        shape: the weight's shape.
        storage: its storage and why it was chosen, if `sparsify` was not left
            at its default.
    """

    path: str
    shape: tuple[int, ...]
    storage: str | None = None


@dataclasses.dataclass(frozen=True)
class ModelDiagnostics:
    """Statistics of the masks of a model; `str()` makes a table of them.

    Attributes:
        name: the model's name.
        rows: the statistics of each masked weight, in the order of the layers.
    """

    name: str
    rows: tuple[WeightDiagnostics, ...]

    @property
    def total(self) -> MaskStatistics:
        """Statistics over all masks: sums, and rates of the sums."""
        sums = {
            field.name: _sum(getattr(row, field.name) for row in self.rows)
            for field in dataclasses.fields(MaskStatistics)
        }
        for name in ("kept_gradient_norm", "grown_gradient_norm"):
            sums[name] = _norm(getattr(row, name) for row in self.rows)
        sums["updates"] = max(row.updates for row in self.rows)
        return MaskStatistics(**sums)

    def __str__(self) -> str:
        total = self.total
        named = [(row.path, row) for row in self.rows]
        lines = [
            f"Masks of {self.name!r}",
            "",
            *text_table.aligned(
                _MASKS,
                [_mask_cells(name, row.shape, row) for name, row in named],
                _mask_cells("total", (), total),
                text_columns=2,
            ),
            "",
            *text_table.aligned(
                _UPDATES,
                [_update_cells(name, row) for name, row in named],
                _update_cells("total", total),
            ),
            "",
            f"Mask updates: {total.updates:,}, "
            f"left out: {total.skipped_updates:,}",
            *storage_choice.lines({row.path: row.storage for row in self.rows}),
        ]
        return "\n".join(lines)


def diagnose(model: Any) -> ModelDiagnostics:
    """Reports how the masks of a sparse model have changed since `sparsify`.

    May be called at any time between steps and changes nothing. Exploration,
    the overlap with the previous mask and the gradient norms are recorded by
    the mask updates in variables of the model, which are saved with it; they
    are None if it was made with `SparsifyOptions(diagnostics=False)`.

    Args:
        model: a model of either Keras, masked by `sparsify`.

    Returns:
        The `rows` of all masked weights and their `total`, with rates such as
        `density`, `exploration` and `overlap_start` and the numbers behind
        them. `str()` makes a table of it.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if the model is dense, or not built yet.

    Example:
        >>> import keras
        >>> model = keras.Sequential(
        ...     [keras.Input((784,)), keras.layers.Dense(10, name="out")]
        ... )
        >>> total = tf_rigl.diagnose(tf_rigl.sparsify(model, 0.9)).total
        >>> total.connections, round(total.exploration, 3), total.dead_units
        (784, 0.1, 0)
    """
    return diagnose_weights(model.name, require_masked_weights(model))


def diagnose_weights(
    name: str, weights: Iterable[MaskedWeight]
) -> ModelDiagnostics:
    """Reports on the given masked weights; see `diagnose`."""
    return ModelDiagnostics(name, tuple(map(_diagnose_weight, weights)))


def mask_view(weight: MaskedWeight) -> np.ndarray:
    """Returns the mask of a weight as [positions, inputs, units], bool."""
    layout = kernel_layout(weight.owner, weight.variable)
    return layout.view(weight.mask).numpy()


def _diagnose_weight(weight: MaskedWeight) -> WeightDiagnostics:
    if weight.storage.is_compressed:
        return WeightDiagnostics(
            path=weight.path,
            shape=weight.shape,
            storage=storage_choice.reason_of(weight),
            **connection_statistics.statistics(weight),
        )
    mask = weight.mask.numpy()
    view = mask_view(weight)
    unused_inputs, dead_units = diagnostics.count_dead(view)
    updates, moved, skipped = map(int, weight.counters.numpy())

    return WeightDiagnostics(
        path=weight.path,
        shape=mask.shape,
        storage=storage_choice.reason_of(weight),
        size=mask.size,
        connections=int(np.count_nonzero(mask)),
        inputs=view.shape[1],
        unused_inputs=unused_inputs,
        units=view.shape[2],
        dead_units=dead_units,
        updates=updates,
        moved=moved,
        skipped_updates=skipped,
        **_since_start(weight, mask),
        **_recorded(weight, mask),
    )


def _since_start(weight: MaskedWeight, mask: np.ndarray) -> dict[str, int]:
    start = start_mask(weight)
    if start is None:
        return {}
    return {
        "start_connections": int(np.count_nonzero(start)),
        "connections_since_start": int(np.count_nonzero(mask & start)),
    }


def start_mask(weight: MaskedWeight) -> np.ndarray | None:
    """Returns the mask that `sparsify` made, bool; None if not known."""
    shape = weight.shape
    kept = weight.diagnostics.get(mask_history.START_MASK)
    if kept is not None:
        return diagnostics.unpack_mask(kept.numpy(), shape)
    if config_of(weight.host).start == "magnitude":
        return None
    if weight.storage.is_compressed:
        positions = connection_statistics.start_positions(weight)
        mask = np.zeros(weight.size, bool)
        mask[positions] = True
        return mask.reshape(shape)
    # Drawing the mask again takes most of the time of a report, so its bits
    # are cached as long as the store of the masks exists.
    store = getattr(weight.host, ATTRIBUTE)
    drawn = store.__dict__.setdefault("_tf_rigl_drawn", {})
    if weight.host_key not in drawn:
        mask = initial_mask(config_of(weight.host), weight.host_key, None)
        drawn[weight.host_key] = diagnostics.pack_mask(mask).numpy()
    return diagnostics.unpack_mask(drawn[weight.host_key], shape)


def _recorded(weight: MaskedWeight, mask: np.ndarray) -> dict[str, Any]:
    """Reads what the mask updates have recorded, by field."""
    packed = weight.diagnostics.get(mask_history.EVER_ACTIVE)
    if packed is None:
        return {}
    # Masks may have been set from outside since the last update.
    ever_active = diagnostics.unpack_mask(packed.numpy(), mask.shape) | mask
    found: dict[str, Any] = {"ever_active": int(np.count_nonzero(ever_active))}
    numbers = weight.diagnostics[mask_history.LAST_UPDATE].numpy()
    kept, connections, kept_norm, grown_norm = map(float, numbers)
    if connections:
        found["last_kept"] = int(kept)
        found["last_connections"] = int(connections)
        found["kept_gradient_norm"] = kept_norm
        found["grown_gradient_norm"] = grown_norm
    return found


def _ratio(part: int | None, whole: int | None) -> float | None:
    if part is None or whole is None:
        return None
    return mask_overlap.ratio(part, whole)


def _sum(numbers: Iterable[Any]) -> Any:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _norm(norms: Iterable[float | None]) -> float | None:
    known = [norm for norm in norms if norm is not None]
    return math.hypot(*known) if known else None


def _mask_cells(
    name: str, shape: Sequence[int], row: MaskStatistics
) -> text_table.Cells:
    return (
        name,
        cells.shape(shape),
        cells.count(row.connections),
        cells.percent(row.density),
        *cells.counts(row.dead_units, row.unused_inputs),
    )


def _update_cells(name: str, row: MaskStatistics) -> text_table.Cells:
    return (
        name,
        cells.count(row.moved),
        cells.percent(row.overlap_previous),
        cells.percent(row.exploration),
        cells.percent(row.overlap_start),
        _number(row.kept_gradient_norm),
        _number(row.grown_gradient_norm),
    )


def _number(number: float | None) -> str:
    return "" if number is None else f"{number:.3g}"
