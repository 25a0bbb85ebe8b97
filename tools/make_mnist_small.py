#!/usr/bin/env python3
"""Makes the MNIST subset that comes with the package.

Takes 1,000 training and 200 test images of each digit from the TFDS data set
`mnist`: within each digit those whose pixels have the lowest SHA-256 digest.
The digest makes the choice look random and independent of the order in which
TFDS stores the images, so the same data always gives the same bytes.

Usage: python tools/make_mnist_small.py [--data_dir=DIR] [--output=FILE.npz]
"""

import hashlib
import pathlib
import zipfile

import numpy as np
from absl import app
from absl import flags

from tf_rigl.data import mnist

TRAIN_IMAGES_PER_DIGIT = mnist.TRAIN_EXAMPLES["small"] // mnist.CLASSES
TEST_IMAGES_PER_DIGIT = mnist.TEST_EXAMPLES["small"] // mnist.CLASSES

_DEFAULT_OUTPUT = (
    pathlib.Path(mnist.__file__).parent / "mnist_small" / "mnist_small.npz"
)
_DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Folder of prepared TFDS data; TFDS's default if unset."
)
_OUTPUT = flags.DEFINE_string(
    "output", str(_DEFAULT_OUTPUT), "The .npz file to write."
)


def digest_order(images: np.ndarray) -> np.ndarray:
    """Orders images by the SHA-256 digest of their pixels.

    Takes uint8 `[examples, 28, 28]`; returns int64 `[examples]`, the indices of
    the images in that order.
    """
    digests = [hashlib.sha256(image.tobytes()).digest() for image in images]
    return np.array(sorted(range(len(images)), key=digests.__getitem__))


def balanced_subset(
    images: np.ndarray, labels: np.ndarray, per_class: int
) -> tuple[np.ndarray, np.ndarray]:
    """Takes the first `per_class` images of each class in digest order.

    Images are uint8 `[examples, 28, 28]`, labels uint8 `[examples]`.

    Returns:
        The chosen images and their labels, classes mixed, in digest order.
    """
    order = digest_order(images)
    ordered_labels = labels[order]
    chosen = np.concatenate(
        [
            np.flatnonzero(ordered_labels == label)[:per_class]
            for label in range(mnist.CLASSES)
        ]
    )
    indices = order[np.sort(chosen)]
    return images[indices], labels[indices]


def make_subset(full: mnist.Mnist) -> mnist.Mnist:
    """Takes the subset of both splits."""
    return mnist.Mnist(
        *balanced_subset(
            full.train_images, full.train_labels, TRAIN_IMAGES_PER_DIGIT
        ),
        *balanced_subset(
            full.test_images, full.test_labels, TEST_IMAGES_PER_DIGIT
        ),
    )


def write_npz(path: pathlib.Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes a compressed .npz file that holds no time of writing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            # A `ZipInfo` made by hand is dated 1980, whatever the clock says.
            entry = zipfile.ZipInfo(f"{name}.npy")
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            with archive.open(entry, "w") as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)


def main(arguments: list[str]) -> None:
    """Reads the full set, takes the subset and writes it."""
    del arguments
    subset = make_subset(mnist.load("tfds", _DATA_DIR.value))
    output = pathlib.Path(_OUTPUT.value)
    write_npz(output, subset._asdict())
    digest = hashlib.sha256(output.read_bytes()).hexdigest()
    print(f"{output}: {output.stat().st_size:,} bytes, SHA-256 {digest}")


if __name__ == "__main__":
    app.run(main)
