"""The training FLOPs of a search for tickets, in dense trainings."""

import dataclasses
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from tf_rigl.accounting import model_profile
from tf_rigl.accounting.training_flops import training_flops
from tf_rigl.core import cells
from tf_rigl.core import text_table

_HEADER = ("", "steps", "FLOPs of a step", "all steps", "dense trainings")
_CONVENTION = (
    "FLOPs: forward and backward passes, for one example of a batch. One dense "
    "training: the steps of level 0 with all connections."
)


@dataclasses.dataclass(frozen=True)
class LevelFlops:
    """The training FLOPs of one level.

    Attributes:
        name: the level's name, such as `"level_03"`.
        steps: optimizer steps of its training.
        flops_per_step: FLOPs of a step for one example of its batch.
    """

    name: str
    steps: int
    flops_per_step: float

    @property
    def flops(self) -> float:
        """FLOPs of all steps, for one example of each batch."""
        return self.steps * self.flops_per_step


@dataclasses.dataclass(frozen=True)
class SearchFlops:
    """The training FLOPs of a search; `str()` makes a table of them.

    FLOPs are for one example of each batch. Multiply them by the batch size for
    those of the search.

    Attributes:
        rows: the FLOPs of each level, from level 0 on.
        dense_flops: FLOPs of the dense training: the steps of level 0, with
            all connections.
        is_lower_bound: whether the profile has layers that are not counted.
    """

    rows: tuple[LevelFlops, ...]
    dense_flops: float
    is_lower_bound: bool = False

    flops = text_table.RowSum("flops", "FLOPs of all levels.")

    @property
    def dense_trainings(self) -> float:
        """Cost of the search, as a multiple of the dense training's."""
        return self.flops / self.dense_flops

    def __str__(self) -> str:
        body = [
            (
                row.name.replace("_", " "),
                cells.count(row.steps),
                cells.si_number(row.flops_per_step),
                cells.si_number(row.flops),
                f"{row.flops / self.dense_flops:.2f}",
            )
            for row in self.rows
        ]
        total = (
            "total",
            cells.count(sum(row.steps for row in self.rows)),
            "",
            cells.si_number(self.flops),
            f"{self.dense_trainings:.2f}",
        )
        lines = text_table.aligned(_HEADER, body, total)
        lines += ["", text_table.paragraph(_CONVENTION)]
        if self.is_lower_bound:
            lines.append("Lower bounds, since some layers are not counted.")
        return "\n".join(lines)


def search_flops(
    profile: model_profile.ModelProfile,
    records: Iterable[Mapping[str, Any]],
) -> SearchFlops:
    """Counts the training FLOPs of a search for tickets.

    Each level counts as static sparse training, 3 times its inference FLOPs
    for each example, with the connections and the steps that it was recorded
    with. Validation, pruning and controls do not count.

    Args:
        profile: costs of the model, `tf_rigl.profile(model)`, whatever masks it
            has.
        records: `search.records()` of a `TicketSearch`, of which level 0 at
            least is trained.

    Raises:
        ValueError: if no level is trained, the profile is of another model or
            has no FLOPs, or the steps of a level were not recorded.

    Example:
        >>> print(search_flops(tf_rigl.profile(model), search.records()))

    Reference: the accounting of Evci et al., "Rigging the Lottery: Making All
    Tickets Winners", arXiv:1911.11134, as in `training_flops`.
    """
    levels = [one for one in records if not one["name"].startswith("control_")]
    if not levels or not profile.dense_flops:
        raise ValueError(
            "The cost of a search is counted of trained levels and a model "
            f"with FLOPs. Received: {len(levels)} trained levels and a profile "
            f"with dense_flops={profile.dense_flops}. Iterate over the search "
            "first."
        )

    rows = [_level(profile, record) for record in levels]
    dense = training_flops("dense", profile.flops, profile.dense_flops)
    return SearchFlops(
        tuple(rows), rows[0].steps * dense, bool(profile.uncounted)
    )


def _level(
    profile: model_profile.ModelProfile, record: Mapping[str, Any]
) -> LevelFlops:
    name, steps = record["name"], record.get("steps")
    if not steps:
        raise ValueError(
            "The optimizer steps of a level must be known. Received: the "
            f"record of {name!r} with steps={steps}. They are recorded if the "
            "loop trains with the model's own optimizer, by this version or a "
            "later one."
        )
    flops = _flops_with(profile, record["connections"])
    return LevelFlops(
        name, steps, training_flops("static", flops, profile.dense_flops)
    )


def _flops_with(
    profile: model_profile.ModelProfile, connections: Mapping[str, int]
) -> int:
    """Returns a model's FLOPs with other numbers of connections, by path."""
    masked = {row.path for row in profile.rows if row.masked}
    if masked != set(connections):
        raise ValueError(
            "A profile must be of the model that was searched. Received: "
            f"masked weights {sorted(masked)} for records of "
            f"{sorted(connections)}. Pass tf_rigl.profile(search.model)."
        )

    macs = 0
    for row in profile.rows:
        if row.masked and row.parameters:
            # As `profile` rounds: up.
            macs -= -row.dense_macs * connections[row.path] // row.parameters
        else:
            macs += row.dense_macs
    return model_profile.FLOPS_PER_MAC * macs
