"""ImageNet's pipeline on images of random pixels in ImageNet's layout."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tests.data import support
from tf_rigl.data import imagenet
from tf_rigl.data.batching import Batching

pytest.importorskip("tensorflow_datasets")
from benchmarks import prepared_images


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    examples = prepared_images.imagenet_examples
    splits = {"train": examples(22, 40, 60), "validation": examples(9, 60, 40)}
    prepared_images.write("imagenet2012", splits, folder, shards=3)
    return str(folder)


def make(data_dir, batch_size=10, image_size=32, cache=False, **batching):
    return imagenet.splits(
        Batching(batch_size, **batching),
        data_dir,
        image_size=image_size,
        cache=cache,
    )


@pytest.fixture(scope="module")
def splits(data_dir):
    return make(data_dir)


def test_info(data_dir, splits):
    assert splits.info == (22, 9, 1000, (32, 32, 3))
    assert imagenet.describe(data_dir) == (22, 9, 1000, (224, 224, 3))


def test_shapes_and_types(splits):
    images, labels = splits.train.element_spec
    assert (images.shape, images.dtype) == ([10, 32, 32, 3], np.float32)
    assert (labels.shape, labels.dtype) == ([10], np.int32)
    assert [len(y) for _, y in support.arrays(splits.train)] == [10, 10]
    assert sorted(support.labels(splits.evaluation)) == list(range(9))


def test_evaluation_shows_the_centre_normalized(splits):
    images, labels = support.joined(splits.evaluation)
    for image, label in zip(images, labels, strict=True):
        pixels = 255 * (image * imagenet.DEVIATION + imagenet.MEAN)
        photograph = list(prepared_images.imagenet_examples(9, 60, 40))[label]
        # Half of the 40 pixels of the shorter side, from the centre.
        centre = photograph["image"][20:40, 10:30]
        assert np.abs(pixels.mean((0, 1)) - centre.mean((0, 1))).max() < 4


def test_epochs_follow_from_seed_and_number(data_dir):
    train = make(data_dir).train
    first, second = (support.joined(train) for _ in range(2))
    assert first[1].tolist() != second[1].tolist()
    by_label = [dict(zip(y, x, strict=True)) for x, y in (first, second)]
    for label in set(by_label[0]) & set(by_label[1]):
        assert not np.array_equal(by_label[0][label], by_label[1][label])
    resumed = support.joined(make(data_dir, first_epoch=1).train)
    np.testing.assert_array_equal(resumed[0], second[0])
    np.testing.assert_array_equal(resumed[1], second[1])


def test_half_of_the_images_are_mirrored():
    jpeg = support.gradient_jpeg(60, 80)
    augment = tf.function(lambda seed: imagenet.augment(jpeg, 32, seed))
    images = np.stack([augment(tf.constant([3, n])) for n in range(200)])
    columns = images[..., 1].mean(axis=1)
    mirrored = np.sum(columns[:, 0] > columns[:, -1])
    assert 70 < mirrored < 130


def test_cached_epochs_are_complete(data_dir):
    splits = make(data_dir, batch_size=11, cache=True)
    for _ in range(2):
        assert sorted(support.labels(splits.train)) == list(range(22))
        assert sorted(support.labels(splits.evaluation)) == list(range(9))


def test_workers_share_the_images(data_dir):
    shares = [
        make(data_dir, batch_size=22, context=context)
        for context in support.contexts(2)
    ]
    train = [support.labels(share.train) for share in shares]
    assert [len(own) for own in train] == [11, 11]
    assert sorted(itertools.chain(*train)) == list(range(22))
    evaluation = [support.labels(share.evaluation) for share in shares]
    assert sorted(itertools.chain(*evaluation)) == list(range(9))


def test_wrong_size(data_dir):
    with pytest.raises(ValueError, match="Received: image_size=0"):
        make(data_dir, image_size=0)
