"""Reachability analysis that finds the channels a network needs.

A channel is one unit or feature map. Layers read channels and write others; an
addition or a normalization passes a channel on, or ties two channels together.
A channel is needed if it is kept for its own sake, for example as an output, or
if a needed channel reads it. All other channels do not reach an output and can
be cut. One pass is enough: a channel that is cut does not make its inputs
needed, so a second pass would find nothing more.
"""

import dataclasses
from typing import NamedTuple

import numpy as np

Channels = np.ndarray  # [count] int64: numbers of channels

# Rows and columns of a read that are looked at together: large layers have
# matrices of a hundred million entries, of which parts are copied.
_ROWS = 512
_COLUMNS = 32


@dataclasses.dataclass
class _Read:
    inputs: Channels
    outputs: Channels
    # [inputs, outputs] bool; None: each output reads the input at its place.
    connected: np.ndarray | None
    reads: np.ndarray | None  # [inputs] bool, the rows that count; None: all
    # The outputs that were needed when it was followed last, [outputs] bool.
    followed: np.ndarray | None = None

    def rows(self, columns: np.ndarray) -> np.ndarray:
        """Returns which inputs some of the outputs read: bool [inputs]."""
        if self.connected is None:
            return columns
        rows = np.zeros(len(self.inputs), bool)
        if not columns.any():
            return rows

        chosen = np.flatnonzero(columns)
        undecided = np.arange(len(rows))
        if self.reads is not None:
            undecided = undecided[self.reads]
        for start in range(0, len(undecided), _ROWS):
            part = undecided[start : start + _ROWS]
            # Most rows reach one of the first columns, or none at all.
            found = self.connected[np.ix_(part, chosen[:_COLUMNS])].any(axis=1)
            rows[part[found]] = True
            rest = self.connected[part[~found]]
            some = rest.any(axis=1)
            reached = rest[some][:, chosen].any(axis=1)
            rows[part[~found][some][reached]] = True
        return rows


class _Group(NamedTuple):
    channels: Channels
    near: Channels


class ChannelGraph:
    """Channels, the ties between them and the layers that read them.

    Add channels, ties and reads in any order, then call `needed`.
    """

    def __init__(self) -> None:
        self._count = 0
        self._ties: list[tuple[Channels, Channels]] = []
        self._kept: list[Channels] = []
        self._groups: list[_Group] = []
        self._reads: list[_Read] = []
        self._roots: Channels | None = None  # None until they are asked for

    def add(self, count: int) -> Channels:
        """Makes `count` new channels and returns their numbers."""
        self._roots = None
        start = self._count
        self._count += count
        return np.arange(start, self._count)

    def tie(self, first: Channels, second: Channels) -> None:
        """Ties channels pairwise, so that both are needed or neither is.

        Raises:
            ValueError: if `first` and `second` are not as many.
        """
        if len(first) != len(second):
            raise ValueError(
                "Channels must be tied to as many others. Received: "
                f"{len(first)} and {len(second)}."
            )
        if not np.array_equal(first, second):
            self._roots = None
            self._ties.append((first, second))

    def keep(self, channels: Channels) -> None:
        """Marks channels as needed regardless of what reads them."""
        self._kept.append(channels)

    def keep_one_of(
        self, channels: Channels, near: Channels | None = None
    ) -> None:
        """Keeps one of these channels if none of them is needed.

        Keras does not support layers with zero units. It is the first one, or
        the first whose channel in `near`, as many others, is needed.
        """
        if len(channels):
            near = channels if near is None else near
            self._groups.append(_Group(channels, near))

    def read(
        self,
        inputs: Channels,
        outputs: Channels,
        connected: np.ndarray,
        reads: np.ndarray | None = None,
    ) -> None:
        """Makes each output depend on the inputs to which it is connected.

        `connected` is bool [inputs, outputs]; an input may be listed several
        times. Of `reads`, bool [inputs], an input counts only where it is true.

        Raises:
            ValueError: if `connected` has another shape.
        """
        if connected.shape != (len(inputs), len(outputs)):
            raise ValueError(
                "`connected` must have a row an input and a column an output. "
                f"Received: shape {connected.shape} for {len(inputs)} inputs "
                f"and {len(outputs)} outputs."
            )
        self._reads.append(_Read(inputs, outputs, connected, reads))

    def read_each(self, inputs: Channels, outputs: Channels) -> None:
        """Makes each output depend on the input at its place.

        Raises:
            ValueError: if they are not as many.
        """
        if len(inputs) != len(outputs):
            raise ValueError(
                "Channels that are read one by one must be as many as those "
                f"that read them. Received: {len(inputs)} inputs and "
                f"{len(outputs)} outputs."
            )
        self._reads.append(_Read(inputs, outputs, None, None))

    def emptied(self, needed: np.ndarray) -> list[int]:
        """Lists a channel of each group of `keep_one_of` that has none left.

        Args:
            needed: bool [channels], with equal values for tied ones.
        """
        found = (self._missing(group, needed) for group in self._groups)
        return [root for root in found if root is not None]

    def roots(self) -> Channels:
        """Returns the lowest channel of each channel's group of tied ones."""
        if self._roots is None:
            self._roots = _lowest(self._count, self._ties)
        return self._roots

    def needed(self) -> np.ndarray:
        """Returns which channels are needed: bool [channels].

        Tied channels have equal values.
        """
        # While searching, only the roots of tied channels are marked.
        roots = self.roots()
        needed = np.zeros(len(roots), bool)
        for channels in self._kept:
            needed[roots[channels]] = True
        for read in self._reads:
            read.followed = None
        self._follow(roots, needed)

        for group in self._groups:
            missing = self._missing(group, needed)
            if missing is not None:
                needed[missing] = True
                self._follow(roots, needed)
        return needed[roots]

    def _missing(self, group: _Group, needed: np.ndarray) -> int | None:
        """Returns the root to keep of a group; None if any is needed."""
        roots = self.roots()
        if needed[roots[group.channels]].any():
            return None
        first = np.argmax(needed[roots[group.near]])
        return int(roots[group.channels[first]])

    def _follow(self, roots: Channels, needed: np.ndarray) -> None:
        """Marks everything that needed channels read until nothing changes.

        Layers are added from the inputs on, so reading them backwards converges
        in one round unless the network has loops.
        """
        changes = True
        while changes:
            changes = False
            for read in reversed(self._reads):
                columns = needed[roots[read.outputs]]
                before = read.followed
                if before is not None and np.array_equal(before, columns):
                    continue
                read.followed = columns
                new = columns if before is None else columns & ~before
                needed[roots[read.inputs[read.rows(new)]]] = True
                changes = True


def _lowest(count: int, ties: list[tuple[Channels, Channels]]) -> Channels:
    """Returns the lowest channel that each one is tied to, at any distance."""
    lowest = np.arange(count)
    if not ties:
        return lowest

    first, second = (np.concatenate(side) for side in zip(*ties, strict=True))
    while True:
        one, other = lowest[first], lowest[second]
        if np.array_equal(one, other):
            return lowest
        # Both are roots here: each higher one gets the lowest of its others.
        np.minimum.at(lowest, np.maximum(one, other), np.minimum(one, other))
        while not np.array_equal(lowest, beyond := lowest[lowest]):
            lowest = beyond
