import importlib.resources

import numpy as np
import pytest

from tf_rigl.data import mnist

FOLDER = importlib.resources.files("tf_rigl.data") / "mnist_small"


@pytest.fixture(scope="module")
def digits():
    return mnist.load("small")


def batches(dataset):
    return [(images.numpy(), labels.numpy()) for images, labels in dataset]


def toy_images(count):
    """Images that hold their own index in each pixel."""
    indices = np.arange(count, dtype=np.uint8)
    return np.broadcast_to(indices[:, None, None], (count, 28, 28)).copy()


def toy_pipeline(count=50, batch_size=8, seed=0, training=True):
    labels = np.arange(count, dtype=np.uint8)
    return mnist.pipeline(toy_images(count), labels, batch_size, seed, training)


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


def test_pipeline_normalises():
    images = np.full((4, 28, 28), 255, np.uint8)
    images[0] = 0
    labels = np.array([3, 1, 4, 1], np.uint8)
    ((batch, classes),) = batches(
        mnist.pipeline(images, labels, 4, seed=0, training=False)
    )
    assert batch.dtype == np.float32
    assert classes.dtype == np.int32
    assert batch.shape == (4, 28, 28)
    assert (batch[0] == 0).all()
    assert (batch[1:] == 1).all()
    assert classes.tolist() == [3, 1, 4, 1]


def test_training_batches_have_a_static_shape():
    dataset = toy_pipeline(count=50, batch_size=8)
    assert dataset.element_spec[0].shape.as_list() == [8, 28, 28]
    assert [len(labels) for _, labels in batches(dataset)] == [8] * 6


def test_training_keeps_images_and_labels_together():
    for images, labels in batches(toy_pipeline()):
        np.testing.assert_allclose(images[:, 0, 0] * 255, labels, rtol=1e-6)


def test_evaluation_keeps_order_and_all_examples():
    dataset = toy_pipeline(count=50, batch_size=8, training=False)
    labels = np.concatenate([labels for _, labels in batches(dataset)])
    assert labels.tolist() == list(range(50))


def test_same_seed_same_batches():
    first, second = (batches(toy_pipeline(seed=3)) for _ in range(2))
    for (_, labels), (_, others) in zip(first, second, strict=True):
        np.testing.assert_array_equal(labels, others)


def test_other_seed_other_batches():
    first, second = (batches(toy_pipeline(seed=seed))[0][1] for seed in (3, 4))
    assert first.tolist() != second.tolist()


def test_epochs_are_shuffled_anew():
    dataset = toy_pipeline()
    first, second = (batches(dataset)[0][1] for _ in range(2))
    assert first.tolist() != second.tolist()


def test_unknown_source():
    with pytest.raises(ValueError, match=r"Received: source='mnits'"):
        mnist.load("mnits")


def test_missing_tfds_data_says_how_to_get_it(tmp_path):
    pytest.importorskip("tensorflow_datasets")
    with pytest.raises(FileNotFoundError, match="tfds build mnist") as caught:
        mnist.load("tfds", str(tmp_path))
    assert f"data_dir={str(tmp_path)!r}" in str(caught.value)
    assert "--download" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_download_names_the_package_that_tfds_lacks(monkeypatch, tmp_path):
    builders = pytest.importorskip("tensorflow_datasets.core.dataset_builder")

    def fail(self):
        raise ModuleNotFoundError("No module named 'beam'", name="beam")

    monkeypatch.setattr(builders.DatasetBuilder, "download_and_prepare", fail)
    with pytest.raises(ImportError, match=r"apache-beam .* Missing: beam"):
        mnist.load("tfds", str(tmp_path), download=True)


def test_batch_larger_than_the_training_set():
    with pytest.raises(ValueError, match="batch_size=51 for 50 examples"):
        toy_pipeline(count=50, batch_size=51)
