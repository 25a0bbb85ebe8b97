import pickle

import numpy as np
import pytest

from tests.wann import evolved
from tf_rigl.data import mnist
from tf_rigl.wann import networks
from tf_rigl.wann import scoring
from tf_rigl.wann.tasks import digits


def make_data(examples=20):
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (examples, 28, 28)).astype("uint8")
    labels = random.integers(0, 10, examples)
    return images, labels, images[:5], labels[:5]


def test_the_embedded_images():
    images = digits.Digits().images
    assert images.train_images.shape == (10_000, 256)
    assert images.test_images.shape == (2_000, 256)
    assert 0 <= images.train_images.min() < images.train_images.max() <= 1
    np.testing.assert_array_equal(images.test_labels, mnist.load().test_labels)


def test_scores_are_cross_entropies():
    task = digits.Digits(make_data(), batch_size=7)
    one = evolved.evolve(256, 10, steps=9, seed=2)
    found = scoring.score(task, [one], [-0.5, 1.0], [3])
    images, labels = task.batch(3)
    assert len(images) == 7
    for place, weight in enumerate([-0.5, 1.0]):
        total = 0.0
        for image, label in zip(images, labels, strict=True):
            outputs = np.exp(evolved.oracle(one, image, weight))
            total += np.log(outputs[label] / outputs.sum())
        assert found[0, place, 0] == pytest.approx(total / 7)


def test_batches_depend_on_the_seed_alone():
    task = digits.Digits(make_data(), batch_size=7)
    np.testing.assert_array_equal(task.batch(1)[1], task.batch(1)[1])
    assert not np.array_equal(task.batch(1)[0], task.batch(2)[0])
    assert len(digits.Digits(make_data()).batch(0)[1]) == 20


def test_accuracy():
    task = digits.Digits(make_data())
    one = evolved.evolve(256, 10, steps=9, seed=2)
    outputs = networks.Networks([one], [1.5])(
        task.images.train_images.T[:, None, None]
    )[:, 0, 0]
    expected = np.mean(outputs.argmax(axis=0) == task.images.train_labels)
    assert task.accuracy(one, 1.5, split="train") == expected
    with pytest.raises(ValueError, match="`split` must be one of"):
        task.accuracy(one, 1.5, split="all")


def test_slanted_strokes_are_set_upright():
    image = np.zeros((16, 16))
    for row in range(2, 14):
        image[row, 4 + row // 2] = 1.0
    upright = digits.deskew(image[None])[0]
    columns = [
        upright[row] @ np.arange(16) / upright[row].sum()
        for row in range(2, 14)
    ]
    assert np.ptp(columns) < 1 < np.ptp(image.argmax(axis=1)[2:14])
    assert upright.sum() == pytest.approx(image.sum(), rel=0.05)
    # What stands upright, is blank or lies flat stays as it is.
    for still in (
        np.zeros((16, 16)),
        np.eye(16)[[7] * 16],
        np.eye(16)[:, [7] * 16],
    ):
        np.testing.assert_allclose(
            digits.deskew(still[None])[0], still, atol=1e-12
        )


def test_resizing_keeps_what_is_even_and_what_is_a_slope():
    slope = np.tile(np.arange(28.0), (28, 1))
    found = digits.resize(np.stack([np.full((28, 28), 3.0), slope]), 16)
    np.testing.assert_allclose(found[0], 3.0)
    np.testing.assert_allclose(np.diff(found[1], axis=1), 28 / 16)


def test_huge_outputs_have_finite_scores():
    task = digits.Digits(make_data(), batch_size=5)
    one = evolved.evolve(256, 10, steps=3, seed=1)
    for weight in (1e200, float("nan")):
        wild = networks.Networks([one], [weight])
        assert np.all(np.isfinite(task.evaluate(wild, [0])))


def test_other_processes_get_the_raw_data():
    task = digits.Digits(make_data())
    one = networks.Networks([evolved.evolve(256, 10, steps=3, seed=1)], [1.0])
    scores = task.evaluate(one, [0, 1])
    other = pickle.loads(pickle.dumps(task))
    assert vars(other).keys() == {"data", "batch_size"}
    np.testing.assert_array_equal(other.images[0], task.images[0])
    np.testing.assert_array_equal(
        other.evaluate(one, [1, 0]), scores[..., ::-1]
    )
    assert other.settings() == task.settings()
    assert task.settings() != digits.Digits(make_data(19)).settings()


def test_data_of_another_form():
    with pytest.raises(ValueError, match="`data` must be"):
        _ = digits.Digits(make_data()[:2]).images
