"""The interface between a search and what it is searched for."""

import abc
from collections.abc import Sequence
from typing import Any
from typing import ClassVar
from typing import NamedTuple

import numpy as np

from tf_rigl.wann import activations
from tf_rigl.wann.networks import Networks


class Defaults(NamedTuple):
    """The settings of a search that the article has for a task."""

    population: int  # genomes in a generation
    generations: int
    tournament: int  # genomes of which the best becomes a parent
    episodes: int  # for each genome and weight in a generation
    connect: float = 0.5  # share of the first connections that are enabled


class Task(abc.ABC):
    """A task: how many inputs and outputs it has, and how well networks do.

    Subclasses set the attributes, of the class or of the object, and define
    `evaluate`. With several workers the task is pickled, so its class must be
    in a module that can be imported.

    Attributes:
        inputs: the number of inputs, without the bias.
        outputs: the number of outputs.
        defaults: the settings of its searches.
        functions: the activations of hidden nodes, by their numbers.
        group_size: genomes that are evaluated at once. Results do not depend
            on it but for rounding.
    """

    inputs: int
    outputs: int
    defaults: ClassVar[Defaults] = Defaults(192, 1024, 8, 3)
    functions: tuple[int, ...] = activations.ALL
    group_size: int = 32

    @abc.abstractmethod
    def evaluate(self, networks: Networks, seeds: Sequence[int]) -> np.ndarray:
        """Returns scores, float64 [genomes, weights, episodes].

        Args:
            networks: call them on inputs, float [inputs, genomes or 1,
                weights or 1, any number], for outputs, float64 [outputs,
                genomes, weights, the same number].
            seeds: one for each episode. Episodes with the same seed begin
                alike for all networks.

        Returns:
            Larger is better. All must be finite.
        """

    @property
    def name(self) -> str:
        """The name in tables and errors."""
        return type(self).__name__

    def settings(self) -> dict[str, Any]:
        """Returns what scores depend on, as JSON values.

        A search is resumed only for a task of the same name and settings.
        """
        return {}
