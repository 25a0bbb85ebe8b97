import numpy as np
import pytest

from tests.data import support
from tf_rigl.data import synthetic
from tf_rigl.data.batching import Batching
from tf_rigl.data.datasets import DataInfo

SMALL = DataInfo(20, 10, 5, (4, 4, 3))


def test_images_have_shape_types_and_scale():
    (batch,) = support.arrays(synthetic.batches(SMALL, Batching(500), count=1))
    images, labels = batch
    assert (images.shape, images.dtype) == ((500, 4, 4, 3), np.float32)
    assert (labels.shape, labels.dtype) == ((500,), np.int32)
    assert abs(images.mean()) < 0.05
    assert abs(images.std() - 1) < 0.05
    assert set(labels) == set(range(5))


def test_characters():
    info = DataInfo(20, 10, 7, (30,))
    (batch,) = support.arrays(synthetic.batches(info, Batching(8), count=1))
    for numbers in batch:
        assert (numbers.shape, numbers.dtype) == ((8, 30), np.int32)
        assert set(numbers.ravel()) == set(range(7))
    assert (batch[0] != batch[1]).any()


def test_as_often_as_asked():
    counted = synthetic.batches(SMALL, Batching(8), count=3)
    assert len(support.arrays(counted)) == len(counted) == 3
    endless = synthetic.batches(SMALL, Batching(8))
    assert endless.cardinality() == -1  # infinite
    assert len(support.arrays(endless.take(50))) == 50


def test_follows_from_the_seed():
    first, second, third = (
        synthetic.batches(SMALL, Batching(8, seed=seed), count=1)
        for seed in (1, 1, 2)
    )
    assert support.same(first, second)
    assert not support.same(first, third)


def test_on_a_device():
    dataset = synthetic.batches(SMALL, Batching(8), 2, device="/CPU:1")
    devices = {images.device for images, _ in dataset}
    assert [device[-5:] for device in devices] == ["CPU:1"]


def test_epochs_are_as_long_as_those_of_the_real_data():
    splits = synthetic.splits(Batching(512), name="cifar10")
    assert splits.train.cardinality() == 97
    assert splits.evaluation.cardinality() == 19
    assert splits.train.element_spec[0].shape == [512, 32, 32, 3]


def test_unknown_name():
    with pytest.raises(ValueError, match="Received: name='svhn'"):
        synthetic.splits(Batching(8), name="svhn")
