"""Tasks that the package `gymnasium` simulates."""

import dataclasses
import functools
import importlib
import importlib.util
import itertools
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import ClassVar

import numpy as np

from tf_rigl.core import checks
from tf_rigl.wann.networks import Networks
from tf_rigl.wann.tasks import encoders
from tf_rigl.wann.tasks.task import Defaults
from tf_rigl.wann.tasks.task import Task

Encoder = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class _GymnasiumTask(Task):
    """A task with one environment for each weight and episode.

    Raises:
        ImportError: if `gymnasium` or its physics are not installed.
    """

    steps: int = 1000

    environment: ClassVar[str]
    group_size = 1

    def __post_init__(self) -> None:
        checks.check_positive("steps", self.steps)
        missing = [
            package
            for package in ("gymnasium", "Box2D")
            if importlib.util.find_spec(package) is None
        ]
        if missing:
            raise ImportError(
                f"{self.name} needs {' and '.join(missing)}. Install them with "
                "`pip install 'tf_rigl[wann]'`."
            )

    def settings(self) -> dict[str, Any]:
        """Returns the environment and the length of an episode."""
        return {"environment": self.environment, "steps": self.steps}

    def encode(self, observation: np.ndarray) -> np.ndarray:
        """Returns what networks see of an observation, float [inputs]."""
        return observation

    def evaluate(self, networks: Networks, seeds: Sequence[int]) -> np.ndarray:
        """Returns the sums of rewards."""
        genomes, _ = networks.shape
        return np.stack(
            [
                self._run(networks.take(np.array([place])), seeds)
                for place in range(genomes)
            ]
        )

    def _run(self, network: Networks, seeds: Sequence[int]) -> np.ndarray:
        """Runs all episodes of one genome side by side."""
        shape = network.shape[1], len(seeds)
        cells = list(itertools.product(*map(range, shape)))
        environments = _environments(self.environment, len(cells))
        seen = np.zeros((self.inputs, 1, *shape))
        for (weight, episode), one in zip(cells, environments, strict=True):
            observation, _ = one.reset(seed=int(seeds[episode]))
            seen[:, 0, weight, episode] = self.encode(observation)

        scores = np.zeros(shape)
        running = dict(zip(cells, environments, strict=True))
        for _ in range(self.steps):
            actions = np.clip(np.nan_to_num(network(seen)), -1, 1)
            for (weight, episode), one in list(running.items()):
                low, high = one.action_space.low, one.action_space.high
                share = (actions[:, 0, weight, episode] + 1) / 2
                action = (low + share * (high - low)).astype(np.float32)
                observation, gained, ended, stopped, _ = one.step(action)
                seen[:, 0, weight, episode] = self.encode(observation)
                scores[weight, episode] += gained
                if ended or stopped:
                    del running[weight, episode]
            if not running:
                break
        return scores


@dataclasses.dataclass(frozen=True)
class BipedalWalker(_GymnasiumTask):
    """Walks on two legs over even ground, of `gymnasium[box2d]`.

    24 inputs, of which 10 are distances by lidar, and four torques.

    Args:
        steps: the most steps of an episode.
    """

    steps: int = 1600

    environment: ClassVar[str] = "BipedalWalker-v3"
    inputs = 24
    outputs = 4
    defaults: ClassVar[Defaults] = Defaults(480, 2048, 16, 4, connect=0.25)


@dataclasses.dataclass(frozen=True)
class CarRacing(_GymnasiumTask):
    """Drives a car around a track seen from above, of `gymnasium[box2d]`.

    An encoder makes features of each image of 96×96×3 pixels. The article's is
    a variational autoencoder that was trained before; any function will do.

    Args:
        steps: the most steps of an episode.
        encoder: from uint8 [96, 96, 3] to float [features]; the mean
            brightness of 4×4 tiles by default. With several workers it is
            pickled, so it must be a function of a module.
        features: how many there are.
    """

    steps: int = 1000
    encoder: Encoder | None = None
    features: int = 16

    environment: ClassVar[str] = "CarRacing-v3"
    outputs = 3
    defaults: ClassVar[Defaults] = Defaults(64, 1024, 8, 2)

    @property
    def inputs(self) -> int:  # type: ignore[override]
        """The number of features."""
        return self.features

    @property
    def _encoder(self) -> Encoder:
        return self.encoder or encoders.mean_of_tiles

    def settings(self) -> dict[str, Any]:
        """Adds the encoder by its name."""
        name = getattr(self._encoder, "__qualname__", type(self._encoder))
        return {
            **super().settings(),
            "encoder": str(name),
            "features": self.features,
        }

    def encode(self, observation: np.ndarray) -> np.ndarray:
        """Returns the features of an image.

        Raises:
            ValueError: if the encoder returns another number of them.
        """
        found = np.asarray(self._encoder(observation), float).ravel()
        if len(found) != self.features:
            raise ValueError(
                "`encoder` must return `features` numbers. Received: "
                f"{len(found)} numbers, features={self.features}."
            )
        return found


@functools.cache
def _pool(environment: str) -> list[Any]:
    """The environments of this process, which take long to make."""
    del environment
    return []


def _environments(environment: str, count: int) -> list[Any]:
    made = _pool(environment)
    gymnasium = importlib.import_module("gymnasium")
    while len(made) < count:
        made.append(gymnasium.make(environment))
    return made[:count]
