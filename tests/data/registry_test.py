import numpy as np
import pytest

from tests.data import support
from tf_rigl.data import registry
from tf_rigl.data.batching import Batching


def test_embedded_digits():
    info = registry.describe("mnist_small")
    splits = registry.splits("mnist_small", Batching(100))
    assert info == splits.info == (10_000, 2_000, 10, (28, 28, 1))
    images, labels = support.joined(splits.train)
    assert images.shape == (10_000, 28, 28, 1)
    assert (images.min(), images.max()) == (0, 1)
    assert np.bincount(labels).tolist() == [1_000] * 10


@pytest.mark.parametrize(
    "name", [name for name in registry.SOURCES if "synthetic" in name]
)
def test_synthetic(name):
    splits = registry.splits(name, Batching(2))
    assert splits.info == registry.describe(name)
    assert splits.train.element_spec[0].shape == [2, *splits.info.example_shape]


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("mnist", "--download.*tfds build mnist.*--data=mnist_small"),
        ("fashion_mnist", "--download.*tfds build fashion_mnist"),
        ("cifar10", "tfds build cifar10"),
        ("cifar100", "tfds build cifar100"),
        ("imagenet2012", r"https://image-net\.org"),
        ("text", "Unpack wikitext"),
    ],
)
@pytest.mark.parametrize("use", [registry.describe, registry.splits])
def test_a_folder_without_data(name, remedy, use, tmp_path):
    pytest.importorskip("tensorflow_datasets")
    arguments = {registry.splits: [Batching(8)], registry.describe: []}[use]
    with pytest.raises(FileNotFoundError, match=remedy) as error:
        use(name, *arguments, str(tmp_path))
    assert f"data_dir={str(tmp_path)!r}" in str(error.value)
    assert not list(tmp_path.iterdir())


def test_arguments_of_a_data_set(tmp_path):
    for part in ("train", "valid"):
        (tmp_path / f"{part}.txt").write_text("abc" * 50)
    info = registry.describe("text", str(tmp_path), time=7)
    assert info == (20, 21, 4, (7,))


def test_unknown_name():
    with pytest.raises(ValueError, match=r"'mnist_small'.*Received: 'svhn'"):
        registry.splits("svhn", Batching(8))
