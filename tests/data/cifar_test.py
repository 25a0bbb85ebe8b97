import collections

import numpy as np
import pytest
import tensorflow as tf

from tests.data import support
from tf_rigl.data import cifar
from tf_rigl.data.batching import Batching

pytest.importorskip("tensorflow_datasets")
from benchmarks import prepared_images


def examples(count):
    generator = np.random.default_rng(0)
    for index in range(count):
        yield {
            "id": f"train_{index:05d}",
            "image": generator.integers(0, 256, (32, 32, 3), np.uint8),
            "coarse_label": index % 20,
            "label": index,
        }


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    splits = {"train": examples(64), "test": examples(20)}
    prepared_images.write("cifar100", splits, folder)
    return str(folder)


def make(data_dir, batch_size=16, **arguments):
    batching = Batching(batch_size)
    return cifar.splits(batching, data_dir, name="cifar100", **arguments)


@pytest.fixture(scope="module")
def splits(data_dir):
    return make(data_dir)


def test_shapes_and_types(splits):
    assert splits.info == (64, 20, 100, (32, 32, 3))
    images, labels = splits.train.element_spec
    assert (images.shape, images.dtype) == ([16, 32, 32, 3], np.float32)
    assert (labels.shape, labels.dtype) == ([16], np.int32)
    assert splits.train.cardinality() == 4
    assert sorted(support.labels(splits.train)) == list(range(64))
    assert support.labels(splits.evaluation) == list(range(20))


def test_each_image_is_standardized(splits):
    images, _ = support.joined(splits.evaluation)
    flat = images.reshape(20, -1)
    np.testing.assert_allclose(flat.mean(axis=1), np.zeros(20), atol=1e-5)
    np.testing.assert_allclose(flat.std(axis=1), np.ones(20), atol=1e-5)


def test_channels_are_normalized_by_the_training_images(data_dir):
    pixels = np.stack([e["image"] for e in examples(64)]) / 255
    images, _ = support.joined(
        make(data_dir, normalization="channel").evaluation
    )
    expected = pixels[:20] - pixels.mean((0, 1, 2))
    expected /= pixels.std((0, 1, 2))
    np.testing.assert_allclose(images, expected, atol=1e-4)


def test_training_images_are_shifted_and_mirrored(splits):
    """Each view is found again in the padded image, once."""
    whole = [
        tf.image.per_image_standardization(e["image"]).numpy()
        for e in examples(64)
    ]

    found = collections.Counter()
    for image, label in zip(*support.joined(splits.train), strict=True):
        padded = np.pad(
            whole[label], [(4, 4), (4, 4), (0, 0)], mode="symmetric"
        )
        for flipped in (False, True):
            view = image[:, ::-1] if flipped else image
            matches = [
                (row, column)
                for row in range(9)
                for column in range(9)
                if np.allclose(
                    padded[row : row + 32, column : column + 32],
                    view,
                    atol=1e-4,
                )
            ]
            found.update((flipped, place) for place in matches)

    assert sum(found.values()) == 64
    flips = sum(count for (flipped, _), count in found.items() if flipped)
    assert 16 < flips < 48
    assert {row for _, (row, _) in found} == set(range(9))
    assert {column for _, (_, column) in found} == set(range(9))


def test_without_augmentation(data_dir, splits):
    """The same images in the same order, as they are."""
    plain, changed = make(data_dir, augment=False), make(data_dir)
    images, labels = support.joined(plain.train)
    assert labels.tolist() == support.labels(changed.train)
    whole = tf.image.per_image_standardization(
        np.stack([e["image"] for e in examples(64)])
    ).numpy()
    np.testing.assert_array_equal(images, whole[labels])


def test_validation_images_are_not_augmented(data_dir):
    found = make(data_dir, validation_examples=16)
    assert found.info.train_examples == 48
    images, labels = support.joined(found.validation)
    kept = support.labels(found.train)
    assert sorted([*kept, *labels]) == list(range(64))
    pixels = np.stack([e["image"] for e in examples(64)])[labels]
    expected = tf.image.per_image_standardization(pixels)
    np.testing.assert_array_equal(images, expected)


def test_epochs_differ_and_seeds_repeat(data_dir, splits):
    first, second = make(data_dir), make(data_dir)
    assert support.same(first.train, second.train)
    assert not support.same(first.train, first.train)
    assert support.same(first.evaluation, splits.evaluation)


def test_draws_cover_all_crops():
    shifts, flips = cifar.draw_augmentation(tf.constant([1, 2], tf.int64), 5000)
    for axis in (0, 1):
        counts = np.bincount(shifts.numpy()[:, axis] + 4)
        assert len(counts) == 9
        # 5000 / 9 and four standard deviations.
        assert np.abs(counts - 5000 / 9).max() < 90
    assert abs(int(flips.numpy().sum()) - 2500) < 140


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "cifar20"}, r"\('cifar10', 'cifar100'\).*name='cifar20'"),
        ({"normalization": "batch"}, "normalization='batch'"),
    ],
)
def test_unknown_names(arguments, message):
    with pytest.raises(ValueError, match=message):
        cifar.splits(Batching(16), **arguments)


@pytest.mark.slow
def test_real_cifar10():
    try:
        splits = cifar.splits(Batching(128), normalization="channel")
    except FileNotFoundError as error:
        pytest.skip(str(error))
    assert splits.info == (50_000, 10_000, 10, (32, 32, 3))

    images, labels = support.joined(splits.train)
    axes, dtype = (0, 1, 2), np.float64
    # Crops repeat pixels beside the border, which differ a little.
    mean, deviation = images.mean(axes, dtype), images.std(axes, dtype)
    np.testing.assert_allclose(mean, [0, 0, 0], atol=0.02)
    np.testing.assert_allclose(deviation, [1, 1, 1], atol=0.02)
    assert np.abs(np.bincount(labels) - 49_920 / 10).max() <= 80
    assert (
        np.bincount(support.labels(splits.evaluation)).tolist() == [1000] * 10
    )
