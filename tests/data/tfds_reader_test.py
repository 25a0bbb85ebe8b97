import itertools
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.data import support
from tf_rigl.data import registry
from tf_rigl.data import tfds_reader
from tf_rigl.data.batching import Batching

pytest.importorskip("tensorflow_datasets")
from benchmarks import prepared_images


def clothes(count):
    for index in range(count):
        yield {
            "image": np.full((28, 28, 1), index, np.uint8),
            "label": index % 10,
        }


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    splits = {"train": clothes(23), "test": clothes(7)}
    prepared_images.write("fashion_mnist", splits, folder, shards=4)
    return folder


@pytest.fixture(scope="module")
def builder(data_dir):
    return tfds_reader.open_builder("fashion_mnist", str(data_dir))


def numbers(builder, share):
    """The numbers of the examples of a share, in the order of reading."""
    parse = tfds_reader.image_parser(builder)
    read = tfds_reader.reader(builder, "train", share)
    return [
        int(tf.io.decode_png(parse(record)[0])[0, 0, 0])
        for record in read(None)
    ]


def test_describe_reads_the_metadata(builder):
    info = tfds_reader.describe(builder, "train", "test")
    assert info == (23, 7, 10, (28, 28, 1))


def test_read_arrays(builder):
    images, labels = tfds_reader.read_arrays(builder, "train")
    assert images.shape == (23, 28, 28, 1)
    assert images.dtype == tf.uint8
    assert labels.dtype == tf.int32
    assert sorted(images.numpy()[:, 0, 0, 0]) == list(range(23))
    assert (images.numpy()[:, 0, 0, 0] % 10 == labels.numpy()).all()


@pytest.mark.parametrize("workers", [1, 3, 7])  # of four files
def test_shares_are_disjoint_complete_and_alike(builder, workers):
    shares = [
        numbers(builder, Batching(workers, context=context))
        for context in support.contexts(workers)
    ]
    assert sorted(itertools.chain(*shares)) == list(range(23))
    sizes = set(map(len, shares))
    assert max(sizes) - min(sizes) <= 1


def test_files_are_read_in_an_order_that_follows_from_the_seed(builder):
    read = tfds_reader.reader(builder, "train", Batching(1))
    orders = [
        tuple(record.numpy() for record in read(seed))
        for seed in (1, 1, None, None, *range(2, 9))
    ]
    assert orders[0] == orders[1]
    assert orders[2] == orders[3]
    # Of the 24 orders of four files.
    assert len(set(orders)) > 4


def test_missing_files_are_named(tmp_path):
    splits = {"train": clothes(8), "test": clothes(2)}
    folder = prepared_images.write("fashion_mnist", splits, tmp_path, shards=2)
    name = "fashion_mnist-train.tfrecord-00001-of-00002"
    (folder / name).unlink()
    message = rf"1 of 4 files are missing in .*{folder.name}, first {name}"
    with pytest.raises(FileNotFoundError, match=message):
        registry.describe("fashion_mnist", str(tmp_path))


def test_without_tfds(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ImportError, match=r"cifar10.*tf_rigl\[data\]"):
        registry.describe("cifar10")
