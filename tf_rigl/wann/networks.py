"""Evaluation of many networks at once, by one program of NumPy.

Weights are shared, so a network's sum at a node is the shared weight times the
plain sum of what leads there. All networks of a group are one big graph whose
nodes are sorted by level and activation. A step is, level by level: add up each
node's sources, scale, apply each activation to its stretch of rows. Columns are
the shared weights and the episodes.
"""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np

from tf_rigl.wann import activations
from tf_rigl.wann import live_nodes
from tf_rigl.wann.genome import Genome


class _Sums:
    """Sums over the connections of each row.

    First those of all rows to their first source are added up, then those to
    the second source of the rows that have two, and so on: a few additions of
    many rows. `np.add.reduceat` takes ten times as long for wide rows.

    Args:
        sources: int [connections], rows of values, sorted by the row that they
            lead to.
        starts: int [rows], where the sources of each row begin. None is empty.
        scales: float [connections, ...], the connections' own weights; None if
            they share one.
    """

    def __init__(
        self,
        sources: np.ndarray,
        starts: np.ndarray,
        scales: np.ndarray | None,
    ) -> None:
        counts = np.diff(starts, append=len(sources))
        # Rows with the most sources first.
        order = np.argsort(-counts, kind="stable")
        self._place = np.argsort(order, kind="stable")
        chosen = [
            starts[order[: np.count_nonzero(counts > number)]] + number
            for number in range(counts.max())
        ]
        self._sources = [sources[one] for one in chosen]
        self._scales = scales if scales is None else [scales[o] for o in chosen]

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Returns the sums of values [rows of values, ...], [rows, ...]."""
        total = self._take(values, 0)
        for number in range(1, len(self._sources)):
            more = self._take(values, number)
            total[: len(more)] += more
        return total[self._place]

    def _take(self, values: np.ndarray, number: int) -> np.ndarray:
        taken = values[self._sources[number]]
        if self._scales is not None:
            taken *= self._scales[number]
        return taken


@dataclasses.dataclass(frozen=True)
class _Level:
    """One level of the program.

    Attributes:
        begin: the first row of the level.
        end: the row after its last.
        sums: those over rows of lower levels; None at the first level.
        runs: the activation of each stretch of rows, with its first row and
            the one after its last.
    """

    begin: int
    end: int
    sums: _Sums | None
    runs: tuple[tuple[int, int, int], ...]


class Networks:
    """Networks of one task, with shared weights or with weights of their own.

    Sums are taken connection by connection in a fixed order, not by a library
    of linear algebra, so results do not depend on its threads.

    Args:
        group: genomes with the same number of inputs and of outputs.
        weights: the shared weights, each of which is a column of results; None
            for the genomes' own.
    """

    def __init__(
        self,
        group: Sequence[Genome],
        weights: Sequence[float] | np.ndarray | None,
    ) -> None:
        self._group = tuple(group)
        self._own = weights is None
        self._weights = np.array([1.0] if weights is None else weights, float)
        self._program = _Program(self._group, self._own)

    @property
    def shape(self) -> tuple[int, int]:
        """The number of genomes and of weights."""
        return len(self._group), len(self._weights)

    def take(self, places: np.ndarray) -> "Networks":
        """Returns the networks at some places, such as those still at work."""
        return Networks(
            [self._group[place] for place in places],
            None if self._own else self._weights,
        )

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Returns the outputs, float64 [outputs, genomes, weights, episodes].

        Some are infinite or no number if sums overflow.

        Args:
            inputs: float [inputs, genomes or 1, weights or 1, episodes].
        """
        program = self._program
        count, shared, episodes = inputs.shape[1:]
        rows = np.concatenate(
            [
                inputs.reshape(-1, shared, episodes),
                np.ones((1, shared, episodes)),
                np.zeros((1, shared, episodes)),
            ]
        )
        sums = program.input_sums(count)(rows)
        with np.errstate(over="ignore", invalid="ignore"):
            values = self._compute(sums, episodes)
        found = values[program.outputs]
        return found.reshape(-1, *self.shape, episodes)

    def _compute(self, sums: np.ndarray, episodes: int) -> np.ndarray:
        """Returns the values of all rows, float64 [rows, columns].

        Args:
            sums: float [rows, weights or 1, episodes], those over the inputs.
            episodes: their number.
        """
        values = self._weights[:, None] * sums

        scale = np.repeat(self._weights, episodes)
        values = values.reshape(len(values), -1)
        for level in self._program.levels:
            here = values[level.begin : level.end]
            if level.sums is not None:
                here += level.sums(values) * scale
            for number, begin, end in level.runs:
                stretch = values[begin:end]
                stretch[...] = activations.ACTIVATIONS[number].apply(stretch)
        return values


class _Program:
    """The graph of a group of genomes as tables of rows."""

    def __init__(self, group: Sequence[Genome], own: bool) -> None:
        self._inputs = group[0].inputs
        self._input_sums: dict[int, _Sums] = {}
        plans = [live_nodes.find(one) for one in group]
        owner = np.repeat(
            np.arange(len(group)), [len(one.nodes) for one in plans]
        )
        node = np.concatenate([one.nodes for one in plans])
        level = np.concatenate([one.levels for one in plans])
        function = np.concatenate([one.functions for one in plans])

        # The row of each node that is computed.
        order = np.lexsort((owner, function, level))
        most = max(len(one.nodes) for one in group)
        row_of = np.full((len(group), most), -1)
        row_of[owner[order], node[order]] = np.arange(len(order))
        level, function = level[order], function[order]

        outputs = np.arange(group[0].outputs) + 1 + self._inputs
        self.outputs = row_of[:, outputs].T.ravel()

        who = np.repeat(np.arange(len(group)), [len(p.sources) for p in plans])
        sources = np.concatenate([one.sources for one in plans])
        into = row_of[who, np.concatenate([p.destinations for p in plans])]
        scales = (
            np.concatenate([one.weights for one in plans])[:, None]
            if own
            else None
        )

        from_input = sources <= self._inputs
        self._set_inputs(
            who[from_input],
            sources[from_input],
            into[from_input],
            None if scales is None else scales[from_input],
            len(order),
        )
        deep = ~from_input
        rows = row_of[who[deep], sources[deep]]
        into = into[deep]
        by_row = np.argsort(into, kind="stable")
        rows, into = rows[by_row], into[by_row]
        scales = None if scales is None else scales[deep][by_row]
        self.levels = _levels(level, function, rows, into, scales)

    def _set_inputs(
        self,
        who: np.ndarray,
        sources: np.ndarray,
        into: np.ndarray,
        scales: np.ndarray | None,
        rows: int,
    ) -> None:
        """Sets the table of connections from the bias and the inputs.

        Each row has one from a row of zeros, so that none is empty.
        """
        self._who = np.append(who, np.full(rows, -1))
        self._features = np.append(sources, np.full(rows, -1))
        into = np.append(into, np.arange(rows))
        order = np.argsort(into, kind="stable")
        self._who, self._features = self._who[order], self._features[order]
        self._input_starts = np.searchsorted(into[order], np.arange(rows))
        self._input_scales = (
            None
            if scales is None
            else np.append(scales, np.ones((rows, 1)), axis=0)[order][:, None]
        )

    def input_sums(self, count: int) -> _Sums:
        """Returns the sums over rows of [features × count genomes, 1, 0]."""
        if count not in self._input_sums:
            self._input_sums[count] = _Sums(
                self._input_sources(count),
                self._input_starts,
                self._input_scales,
            )
        return self._input_sums[count]

    def _input_sources(self, count: int) -> np.ndarray:
        who = self._who if count > 1 else np.zeros_like(self._who)
        ones = self._inputs * count
        features = (self._features - 1) * count + who
        features[self._features == 0] = ones
        features[self._features < 0] = ones + 1
        return features


def _levels(
    level: np.ndarray,
    function: np.ndarray,
    sources: np.ndarray,
    into: np.ndarray,
    scales: np.ndarray | None,
) -> list[_Level]:
    """Cuts the tables, which are sorted by rows, into levels."""
    found = []
    # Where activations or levels change.
    changes = np.flatnonzero(np.diff(level) | np.diff(function)) + 1
    edges = [0, *changes.tolist(), len(level)]
    for number in range(int(level.max()) + 1):
        begin, end = np.searchsorted(level, [number, number + 1]).tolist()
        first, last = np.searchsorted(into, [begin, end])
        runs = tuple(
            (int(function[one]), one, after)
            for one, after in itertools.pairwise(edges)
            if begin <= one < end and function[one] != activations.LINEAR
        )
        found.append(
            _Level(
                begin,
                end,
                None
                if first == last
                else _Sums(
                    sources[first:last],
                    np.searchsorted(into[first:last], np.arange(begin, end)),
                    None if scales is None else scales[first:last],
                ),
                runs,
            )
        )
    return found
