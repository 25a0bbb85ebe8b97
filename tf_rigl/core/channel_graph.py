"""Which channels of a network are needed.

A channel is one unit or feature map, wherever it goes. Layers read channels
and write others; an addition or a normalization leaves the channel what it
is, or ties two. A channel is needed if it is kept for a reason of its own,
such as being an output, or if a needed channel reads it. All others reach
nothing and can be cut, all at once: what they read is not needed on their
account, so that no second round finds more.
"""

from typing import NamedTuple

import numpy as np

Channels = np.ndarray  # [count] int64: numbers of channels


class _Read(NamedTuple):
    inputs: Channels
    outputs: Channels
    connected: np.ndarray  # [inputs, outputs] bool


class ChannelGraph:
    """Channels, which of them are the same, and who reads whom.

    It is filled in any order and then asked for `needed`.
    """

    def __init__(self) -> None:
        self._parents: list[int] = []
        self._kept: list[Channels] = []
        self._groups: list[Channels] = []
        self._reads: list[_Read] = []

    def add(self, count: int) -> Channels:
        """Makes `count` new channels and returns their numbers."""
        start = len(self._parents)
        self._parents.extend(range(start, start + count))
        return np.arange(start, start + count)

    def tie(self, first: Channels, second: Channels) -> None:
        """Makes channels stand or fall together, element by element.

        Raises:
            ValueError: if `first` and `second` are not as many.
        """
        if len(first) != len(second):
            raise ValueError(
                "As many channels must be tied to as many. Received: "
                f"{len(first)} and {len(second)}."
            )
        for one, other in zip(first, second, strict=True):
            self._parents[self._root(int(one))] = self._root(int(other))

    def keep(self, channels: Channels) -> None:
        """Makes channels needed, whoever reads them."""
        self._kept.append(channels)

    def keep_one_of(self, channels: Channels) -> None:
        """Keeps the first of some channels where none is needed.

        Keras has no layer without units.
        """
        if len(channels):
            self._groups.append(channels)

    def read(
        self, inputs: Channels, outputs: Channels, connected: np.ndarray
    ) -> None:
        """Makes each output depend on the inputs to which it is connected.

        `connected` is bool [inputs, outputs]; an input may come more than once.

        Raises:
            ValueError: if `connected` has another shape.
        """
        if connected.shape != (len(inputs), len(outputs)):
            raise ValueError(
                "`connected` must have a row an input and a column an output. "
                f"Received: shape {connected.shape} for {len(inputs)} inputs "
                f"and {len(outputs)} outputs."
            )
        self._reads.append(_Read(inputs, outputs, connected))

    def roots(self) -> Channels:
        """Returns for each channel one that stands for all tied to it."""
        return np.array(
            [self._root(channel) for channel in range(len(self._parents))],
            np.int64,
        )

    def needed(self) -> np.ndarray:
        """Returns which channels are needed: bool [channels], equal if tied."""
        roots = self.roots()
        needed = np.zeros(len(roots), bool)
        for channels in self._kept:
            needed[roots[channels]] = True
        self._follow(roots, needed)
        for channels in self._groups:
            if not needed[roots[channels]].any():
                needed[roots[channels[0]]] = True
                self._follow(roots, needed)
        return needed[roots]

    def _follow(self, roots: Channels, needed: np.ndarray) -> None:
        """Adds all that needed channels read, until there is no more.

        Layers are added from the inputs on, so that going backwards finds
        all in one round, but for loops.
        """
        count = -1
        while count != np.count_nonzero(needed):
            count = int(np.count_nonzero(needed))
            for read in reversed(self._reads):
                columns = needed[roots[read.outputs]]
                rows = read.connected[:, columns].any(axis=1)
                needed[roots[read.inputs[rows]]] = True

    def _root(self, channel: int) -> int:
        while self._parents[channel] != channel:
            # Halves the way for the next who goes it.
            self._parents[channel] = self._parents[self._parents[channel]]
            channel = self._parents[channel]
        return channel
