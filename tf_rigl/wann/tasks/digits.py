"""Handwritten digits of 16×16 pixels; an episode is one batch of them."""

import dataclasses
import functools
import importlib.resources
import zlib
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import ClassVar
from typing import NamedTuple

import numpy as np

from tf_rigl.core import checks
from tf_rigl.wann import activations
from tf_rigl.wann.genome import Genome
from tf_rigl.wann.networks import Networks
from tf_rigl.wann.tasks.task import Defaults
from tf_rigl.wann.tasks.task import Task

CLASSES = 10
SIDE = 16  # pixels
# Examples that `accuracy` evaluates at once.
_EVALUATED = 1000
# Outputs beyond this would make sums of exponentials infinite.
_LARGEST = 1e100
_FILE = "data/mnist_small/mnist_small.npz"
_ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


class DigitImages(NamedTuple):
    """Images of digits and what they show, for training and for tests."""

    train_images: np.ndarray  # [examples, height, width]
    train_labels: np.ndarray  # int [examples]
    test_images: np.ndarray
    test_labels: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Digits(Task):
    """Classifies handwritten digits of 16×16 pixels, deskewed.

    An episode is one batch of training images, and its score minus the cross
    entropy of the softmax of the ten outputs. Nodes have no step.

    Args:
        data: four arrays as `tf_rigl.data.mnist.load` returns them, with images
            in [0, 255]; None for the 10,000 + 2,000 images of MNIST that are
            part of the package.
        batch_size: images in an episode.
    """

    data: Sequence[np.ndarray] | None = None
    batch_size: int = 1000

    inputs = SIDE * SIDE
    outputs = CLASSES
    defaults: ClassVar[Defaults] = Defaults(960, 4096, 32, 1, connect=0.05)
    functions = activations.WITHOUT_STEP
    group_size = 4

    def __post_init__(self) -> None:
        checks.check_positive("batch_size", self.batch_size)

    @functools.cached_property
    def images(self) -> DigitImages:
        """The prepared images, float64 [examples, 256] in [0, 1]."""
        if self.data is None:
            return _embedded()
        return _prepare(self.data)

    def settings(self) -> dict[str, Any]:
        """Returns the size of a batch and a checksum of the data."""
        return {
            "batch_size": self.batch_size,
            "data": "mnist_small"
            if self.data is None
            else zlib.crc32(
                b"".join(np.asarray(one).tobytes() for one in self.data)
            ),
        }

    @functools.cached_property
    def _recent(self) -> Callable[[int], tuple[np.ndarray, np.ndarray]]:
        # A generation is evaluated in groups, all on the same few batches.
        return functools.lru_cache(maxsize=4)(self.batch)

    def __getstate__(self) -> dict[str, Any]:
        """Leaves out what is prepared anew in another process."""
        names = [field.name for field in dataclasses.fields(self)]
        return {name: getattr(self, name) for name in names}

    def evaluate(self, networks: Networks, seeds: Sequence[int]) -> np.ndarray:
        """Returns minus the cross entropy over a batch, in nats."""
        scores = np.empty((*networks.shape, len(seeds)))
        for place, seed in enumerate(seeds):
            images, labels = self._recent(seed)
            logs = _log_softmax(networks(images.T[:, None, None]))
            chosen = np.take_along_axis(
                logs, labels[None, None, None].astype(int), axis=0
            )
            scores[..., place] = chosen[0].mean(axis=-1)
        return scores

    def batch(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns a batch of training images and their labels."""
        images, labels = self.images[:2]
        size = min(self.batch_size, len(labels))
        drawn = np.random.default_rng(seed).permutation(len(labels))[:size]
        return images[drawn], labels[drawn]

    def accuracy(
        self, genome: Genome, weight: float | None = 1.0, split: str = "test"
    ) -> float:
        """Returns the share of images that a network classifies rightly.

        Args:
            genome: the network.
            weight: the weight that all connections share; None for its own.
            split: `"test"` or `"train"`.

        Raises:
            ValueError: if `split` is neither.
        """
        checks.check_choice("split", split, ("train", "test"))
        images, labels = self.images[2:] if split == "test" else self.images[:2]
        network = Networks([genome], None if weight is None else [weight])
        right = 0
        for first in range(0, len(labels), _EVALUATED):
            part = slice(first, first + _EVALUATED)
            outputs = network(images[part].T[:, None, None])[:, 0, 0]
            right += int(np.sum(outputs.argmax(axis=0) == labels[part]))
        return right / len(labels)


def deskew(images: np.ndarray) -> np.ndarray:
    """Shears images so that their ink stands upright.

    Each row is shifted in proportion to its height above the middle, by the
    slope of the ink: μ₁₁ / μ₀₂ of its central moments.

    Args:
        images: float [examples, side, side].

    Returns:
        Likewise. Images without ink, or with ink in one row, are as they were.
    """
    side = images.shape[1]
    at = np.arange(side, dtype=float)
    ink = images.sum(axis=(1, 2)) + 1e-12
    middle_x = (images.sum(axis=1) @ at) / ink
    middle_y = (images.sum(axis=2) @ at) / ink
    across = at[None] - middle_x[:, None]
    down = at[None] - middle_y[:, None]
    joint = np.einsum("nyx,ny,nx->n", images, down, across)
    spread = np.einsum("nyx,ny->n", images, down * down)
    slope = np.where(spread < 1e-2, 0.0, joint / np.maximum(spread, 1e-2))

    # Where in its row each pixel is read, between two pixels.
    shift = slope[:, None] * (at - side / 2)
    read = at[None, None] + shift[:, :, None]
    left = np.floor(read).astype(int)
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1)))
    first = np.take_along_axis(padded, np.clip(left + 1, 0, side + 1), axis=2)
    second = np.take_along_axis(padded, np.clip(left + 2, 0, side + 1), axis=2)
    share = read - left
    return (1 - share) * first + share * second


def resize(images: np.ndarray, side: int) -> np.ndarray:
    """Resizes images [examples, height, width] to squares, bilinearly."""
    rows, columns = (_interpolation(size, side) for size in images.shape[1:])
    return rows @ images @ columns.T


def _interpolation(size: int, wanted: int) -> np.ndarray:
    """Returns float64 [wanted, size], rows that mix two pixels each."""
    centers = (np.arange(wanted) + 0.5) * size / wanted - 0.5
    centers = np.clip(centers, 0, size - 1)
    left = np.minimum(np.floor(centers).astype(int), size - 2)
    mixed = np.zeros((wanted, size))
    rows = np.arange(wanted)
    mixed[rows, left] = 1 - (centers - left)
    mixed[rows, left + 1] = centers - left
    return mixed


@functools.cache
def _embedded() -> DigitImages:
    file = importlib.resources.files("tf_rigl").joinpath(_FILE)
    with file.open("rb") as opened, np.load(opened) as arrays:
        return _prepare([arrays[name] for name in _ARRAYS])


def _prepare(data: Sequence[np.ndarray]) -> DigitImages:
    if len(data) != 4:
        raise ValueError(
            "`data` must be (train_images, train_labels, test_images, "
            f"test_labels). Received: {len(data)} arrays."
        )
    images = [_smaller(np.asarray(one)) for one in (data[0], data[2])]
    labels = [np.asarray(one, int) for one in (data[1], data[3])]
    return DigitImages(images[0], labels[0], images[1], labels[1])


def _smaller(images: np.ndarray) -> np.ndarray:
    small = deskew(resize(images.reshape(images.shape[:3]) / 255.0, SIDE))
    return small.reshape(len(small), -1)


def _log_softmax(outputs: np.ndarray) -> np.ndarray:
    outputs = np.clip(np.nan_to_num(outputs), -_LARGEST, _LARGEST)
    outputs = outputs - outputs.max(axis=0)
    return outputs - np.log(np.exp(outputs).sum(axis=0))
