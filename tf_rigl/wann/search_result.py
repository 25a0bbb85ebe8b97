"""The result of a search, and what it remembers of each generation."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from tf_rigl.core import text_table
from tf_rigl.wann.genome import Genome

_ROWS = 12


class GenerationRecord(NamedTuple):
    """What a generation was like.

    Scores of the generation are on episodes of its own, those of the champion
    on episodes that are the same in all of a search.
    """

    generation: int  # from 1
    mean: float  # the best mean over the shared weights
    best: float  # the best score with a single shared weight
    connections: float  # their median number
    champion: float  # the champion's mean over the shared weights
    champion_connections: int

    def __str__(self) -> str:
        """Describes the generation in a line."""
        return (
            f"generation {self.generation:,}  mean {self.mean:.4g}  "
            f"best {self.best:.4g}  champion {self.champion:.4g} with "
            f"{self.champion_connections} connections"
        )


class FrontMember(NamedTuple):
    """A genome that none of its generation beats in mean and connections."""

    genome: Genome
    mean: float  # over the shared weights
    best: float  # with the best of them
    connections: int


@dataclasses.dataclass(frozen=True)
class SearchResult:
    """The result of a search; `print` shows it as a table.

    Attributes:
        best: the champion: the genome with the best mean over the shared
            weights, on episodes that are the same in all of the search.
        mean: that mean.
        scores: the champion's mean score with each shared weight.
        front: the genomes of the last generation that none beats in mean score
            and in number of connections, by connections.
        history: a record for each generation.
        shared_weights: the weights that networks were evaluated with.
        task: the name of the task.
    """

    best: Genome
    mean: float
    scores: tuple[float, ...]
    front: tuple[FrontMember, ...]
    history: tuple[GenerationRecord, ...]
    shared_weights: tuple[float, ...]
    task: str

    def table(self) -> text_table.TextTable:
        """Returns generations, evenly spaced, as a table for a rich console."""
        return text_table.TextTable(*_cells(self.history), text_columns=1)

    def __str__(self) -> str:
        """Describes the champion, the front and the course of the search."""
        header, body = _cells(self.history)
        weights = ", ".join(
            f"{weight:g}: {score:.4g}"
            for weight, score in zip(
                self.shared_weights, self.scores, strict=True
            )
        )
        front = ", ".join(
            f"{one.connections}: {one.mean:.4g}" for one in self.front
        )
        notes = (
            f"Champion of {self.task}: {self.best}.",
            f"Mean {self.mean:.4g}; by shared weight {weights}.",
            f"Front, mean by connections: {front}.",
        )
        lines = text_table.aligned(header, body, (), text_columns=1)
        return "\n".join([*lines, "", *map(text_table.paragraph, notes)])


def _cells(
    history: Sequence[GenerationRecord],
) -> tuple[list[str], list[list[str]]]:
    """Returns header and rows of at most a dozen generations."""
    header = ["generation", "best mean", "best weight", "connections"]
    header += ["champion", "its connections"]
    last = len(history) - 1
    count = min(_ROWS, len(history))
    places = {round(n * last / max(count - 1, 1)) for n in range(count)}
    rows = [
        [
            f"{one.generation:,}",
            f"{one.mean:.4g}",
            f"{one.best:.4g}",
            f"{one.connections:g}",
            f"{one.champion:.4g}",
            str(one.champion_connections),
        ]
        for one in (history[place] for place in sorted(places))
    ]
    return header, rows
