import numpy as np
import pytest

from tf_rigl.data import mnist
from tools import make_mnist_small

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (200, 28, 28), dtype=np.uint8)
LABELS = np.repeat(np.arange(10, dtype=np.uint8), 20)


def test_subset_is_balanced():
    images, labels = make_mnist_small.balanced_subset(IMAGES, LABELS, 5)
    assert images.shape == (50, 28, 28)
    assert np.bincount(labels).tolist() == [5] * 10


def test_subset_keeps_images_and_labels_together():
    label_of = {
        image.tobytes(): label
        for image, label in zip(IMAGES, LABELS, strict=True)
    }
    images, labels = make_mnist_small.balanced_subset(IMAGES, LABELS, 5)
    for image, label in zip(images, labels, strict=True):
        assert label_of[image.tobytes()] == label


def test_subset_does_not_depend_on_the_order_of_the_data():
    order = RANDOM.permutation(len(IMAGES))
    expected = make_mnist_small.balanced_subset(IMAGES, LABELS, 5)
    actual = make_mnist_small.balanced_subset(IMAGES[order], LABELS[order], 5)
    for array, other in zip(expected, actual, strict=True):
        np.testing.assert_array_equal(array, other)


def test_archives_are_reproducible_and_load(tmp_path):
    arrays = {"images": IMAGES, "labels": LABELS}
    paths = [tmp_path / "a" / "x.npz", tmp_path / "b.npz"]
    for path in paths:
        make_mnist_small.write_npz(path, arrays)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    with np.load(paths[0]) as loaded:
        for name, array in arrays.items():
            np.testing.assert_array_equal(loaded[name], array)


@pytest.mark.slow
def test_embedded_subset_is_what_the_tool_makes():
    pytest.importorskip("tensorflow_datasets")
    try:
        full = mnist.load("tfds")
    except FileNotFoundError:
        pytest.skip("the TFDS data set `mnist` is not prepared")
    embedded = mnist.load("small")
    made = make_mnist_small.make_subset(full)
    for array, other in zip(embedded, made, strict=True):
        np.testing.assert_array_equal(array, other)
