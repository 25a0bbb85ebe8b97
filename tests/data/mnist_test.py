import importlib.resources

import numpy as np
import pytest

from tf_rigl.data import mnist

FOLDER = importlib.resources.files("tf_rigl.data") / "mnist_small"


@pytest.fixture(scope="module")
def digits():
    return mnist.load("small")


def test_small_has_the_promised_sizes(digits):
    assert digits.train_images.shape == (10_000, 28, 28)
    assert digits.test_images.shape == (2_000, 28, 28)
    assert digits.train_labels.shape == (10_000,)
    assert digits.test_labels.shape == (2_000,)
    assert {array.dtype for array in digits} == {np.dtype(np.uint8)}


def test_small_is_balanced(digits):
    assert np.bincount(digits.train_labels).tolist() == [1_000] * 10
    assert np.bincount(digits.test_labels).tolist() == [200] * 10


def test_small_mixes_the_digits(digits):
    assert len(set(digits.train_labels[:50].tolist())) == 10


def test_small_looks_like_mnist(digits):
    # Mean and deviation of the full training set: 0.1307 and 0.3081.
    assert digits.train_images.mean() / 255 == pytest.approx(0.1307, abs=2e-3)
    assert digits.train_images.std() / 255 == pytest.approx(0.3081, abs=2e-3)


def test_small_has_no_image_in_both_splits(digits):
    train = {image.tobytes() for image in digits.train_images}
    assert not any(image.tobytes() in train for image in digits.test_images)


def test_embedded_files_are_small_and_licensed():
    files = {file.name: file for file in FOLDER.iterdir()}
    size = sum(len(file.read_bytes()) for file in files.values())
    assert size <= 3_000_000
    licence = files["LICENSE.txt"].read_text(encoding="utf-8")
    assert "CC BY-SA 3.0" in licence
    assert "Yann LeCun and Corinna Cortes" in licence


def test_unknown_source():
    with pytest.raises(ValueError, match=r"Received: source='mnits'"):
        mnist.load("mnits")


def test_download_names_the_package_that_tfds_lacks(monkeypatch, tmp_path):
    builders = pytest.importorskip("tensorflow_datasets.core.dataset_builder")

    def fail(self):
        raise ModuleNotFoundError("No module named 'beam'", name="beam")

    monkeypatch.setattr(builders.DatasetBuilder, "download_and_prepare", fail)
    with pytest.raises(ImportError, match=r"apache-beam .* Missing: beam"):
        mnist.load("tfds", str(tmp_path), download=True)
