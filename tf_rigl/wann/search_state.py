"""All that a search depends on between two generations."""

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_rigl.wann import genome as genomes
from tf_rigl.wann.genome import Genome
from tf_rigl.wann.mutation import Innovations
from tf_rigl.wann.search_result import FrontMember
from tf_rigl.wann.search_result import GenerationRecord

_RECORD = GenerationRecord._fields


@dataclasses.dataclass(frozen=True)
class SearchState:
    """The state of a search.

    Attributes:
        population: the genomes of the next generation.
        innovations: the numbers of the next new node and connection.
        champion: the best genome so far; None before the first generation.
        champion_scores: float [weights], its mean scores; empty at first.
        candidate: the best genome of the last generation, which need not be
            evaluated against the champion again; None at first.
        front: the front of the last generation.
        history: a record for each generation so far.
    """

    population: tuple[Genome, ...]
    innovations: Innovations
    champion: Genome | None = None
    champion_scores: np.ndarray = dataclasses.field(
        default_factory=lambda: np.zeros(0)
    )
    candidate: Genome | None = None
    front: tuple[FrontMember, ...] = ()
    history: tuple[GenerationRecord, ...] = ()

    def arrays(self) -> dict[str, np.ndarray]:
        """Returns the state as arrays by name."""
        singles = [one for one in (self.champion, self.candidate) if one]
        return {
            **_pack("population", self.population),
            **_pack("singles", singles),
            **_pack("front", [one.genome for one in self.front]),
            "front.scores": np.array(
                [(one.mean, one.best) for one in self.front]
            ).reshape(-1, 2),
            "champion_scores": self.champion_scores,
            "innovations": np.array(dataclasses.astuple(self.innovations)),
            "history": np.array(self.history, float).reshape(-1, len(_RECORD)),
        }


def from_arrays(arrays: Mapping[str, np.ndarray]) -> SearchState:
    """Returns the state that `SearchState.arrays` was called on.

    Raises:
        KeyError: if an array is missing.
        ValueError: if arrays do not fit together.
    """
    population = _unpack("population", arrays)
    front = _unpack("front", arrays)
    singles = _unpack("singles", arrays)
    history = arrays["history"]
    if not population or len(singles) != 2 * bool(len(history)):
        raise ValueError("genomes are missing")
    node, connection = arrays["innovations"].tolist()
    return SearchState(
        tuple(population),
        Innovations(node, connection),
        singles[0] if singles else None,
        arrays["champion_scores"],
        singles[1] if singles else None,
        tuple(
            FrontMember(one, mean, best, one.connections)
            for one, (mean, best) in zip(
                front, arrays["front.scores"].tolist(), strict=True
            )
        ),
        tuple(_record(row) for row in history.tolist()),
    )


def _record(row: Sequence[float]) -> GenerationRecord:
    values: dict[str, Any] = dict(zip(_RECORD, row, strict=True))
    for name in ("generation", "champion_connections"):
        values[name] = int(values[name])
    return GenerationRecord(**values)


def _pack(name: str, group: Sequence[Genome]) -> dict[str, np.ndarray]:
    """Puts the arrays of genomes behind each other, with their lengths."""
    found: dict[str, np.ndarray] = {
        f"{name}.sizes": np.array(
            [(len(one.nodes), len(one.sources)) for one in group], int
        ).reshape(-1, 2)
    }
    for arrays in (genomes.NODE_ARRAYS, genomes.CONNECTION_ARRAYS):
        for array, dtype in arrays.items():
            parts = [getattr(one, array) for one in group]
            found[f"{name}.{array}"] = np.concatenate(
                [np.zeros(0, dtype), *parts]
            )
    return found


def _unpack(name: str, arrays: Mapping[str, np.ndarray]) -> list[Genome]:
    sizes = arrays[f"{name}.sizes"]
    parts: dict[str, list[np.ndarray]] = {}
    groups = list(genomes.NODE_ARRAYS), list(genomes.CONNECTION_ARRAYS)
    for column, names in enumerate(groups):
        for array in names:
            values = arrays[f"{name}.{array}"]
            if len(values) != sizes[:, column].sum():
                raise ValueError(f"{name}.{array} has another length")
            ends = np.cumsum(sizes[:, column])[:-1]
            parts[array] = np.split(values, ends)
    return [
        Genome(**{array: found[place] for array, found in parts.items()})
        for place in range(len(sizes))
    ]
