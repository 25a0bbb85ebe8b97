"""Reachability analysis that finds the channels a network needs.

A channel is one unit or feature map. Layers read channels and write others; an
addition or a normalization passes a channel on, or ties two channels together.
A channel is needed if it is kept for its own sake, for example as an output, or
if a needed channel reads it. All other channels do not reach an output and can
be cut. One pass is enough: a channel that is cut does not make its inputs
needed, so a second pass would find nothing more.
"""

from typing import NamedTuple

import numpy as np

Channels = np.ndarray  # [count] int64: numbers of channels


class _Read(NamedTuple):
    inputs: Channels
    outputs: Channels
    connected: np.ndarray  # [inputs, outputs] bool


class ChannelGraph:
    """Channels, the ties between them and the layers that read them.

    Add channels, ties and reads in any order, then call `needed`.
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
        """Ties channels pairwise, so that both are needed or neither is.

        Raises:
            ValueError: if `first` and `second` are not as many.
        """
        if len(first) != len(second):
            raise ValueError(
                "Channels must be tied to as many others. Received: "
                f"{len(first)} and {len(second)}."
            )
        for channel, other in zip(first, second, strict=True):
            self._parents[self._root(int(channel))] = self._root(int(other))

    def keep(self, channels: Channels) -> None:
        """Marks channels as needed regardless of what reads them."""
        self._kept.append(channels)

    def keep_one_of(self, channels: Channels) -> None:
        """Keeps the first of these channels if none of them is needed.

        Keras does not support layers with zero units.
        """
        if len(channels):
            self._groups.append(channels)

    def read(
        self, inputs: Channels, outputs: Channels, connected: np.ndarray
    ) -> None:
        """Makes each output depend on the inputs to which it is connected.

        `connected` is bool [inputs, outputs]; an input may be listed several
        times.

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
        """Returns the representative of each channel's group of tied ones."""
        return np.array(
            [self._root(channel) for channel in range(len(self._parents))],
            np.int64,
        )

    def needed(self) -> np.ndarray:
        """Returns which channels are needed: bool [channels].

        Tied channels have equal values.
        """
        # While searching, only the roots of tied channels are marked.
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
        """Marks everything that needed channels read until nothing changes.

        Layers are added from the inputs on, so reading them backwards converges
        in one round unless the network has loops.
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
            # Path halving, which keeps later look-ups short.
            self._parents[channel] = self._parents[self._parents[channel]]
            channel = self._parents[channel]
        return channel
