import numpy as np
import pytest
import tensorflow as tf

from tests.data import support
from tf_rigl.data import images


def window(image):
    """The window that an image of gradients shows, as fractions."""
    rows = image[..., 0].mean(axis=1) / 255
    columns = np.sort(image[..., 1].mean(axis=0)) / 255
    return rows[0], rows[-1], columns[0], columns[-1]


@pytest.fixture(scope="module")
def random_crops():
    jpeg = support.gradient_jpeg(150, 200)
    crop = tf.function(lambda seed: images.random_resized_crop(jpeg, 32, seed))
    return np.stack([crop(tf.constant([7, n])) for n in range(300)])


def test_shift_and_flip_crops_padded_images():
    generator = np.random.default_rng(0)
    batch = generator.normal(size=(40, 6, 9, 2)).astype(np.float32)
    shifts = generator.integers(-4, 5, (40, 2)).astype(np.int32)
    flips = generator.random(40) < 0.5
    moved = images.shift_and_flip(tf.constant(batch), shifts, flips).numpy()
    for image, result, (row, column), flipped in zip(
        batch, moved, shifts + 4, flips, strict=True
    ):
        padded = np.pad(image, [(4, 4), (4, 4), (0, 0)], mode="symmetric")
        expected = padded[row : row + 6, column : column + 9]
        expected = expected[:, ::-1] if flipped else expected
        np.testing.assert_array_equal(result, expected)


def test_normalize():
    pixels = np.array([[0, 255], [51, 102]], np.uint8)
    result = images.normalize(pixels, (0.2, 0.4), (0.5, 0.25)).numpy()
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, [[-0.4, 2.4], [0.0, 0.0]], atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "size", "side"),
    [((256, 320), 224, 224), ((80, 60), 96, 45), ((300, 200), 32, 100)],
)
def test_central_crop_is_part_of_the_shorter_side(shape, size, side):
    jpeg = support.gradient_jpeg(*shape)
    decoded = tf.io.decode_jpeg(jpeg).numpy()
    image = images.central_crop(jpeg, size).numpy()
    assert image.shape == (size, size, 3)

    # Interpolation keeps a gradient, but for the pixels beside the border.
    inner = slice(4, -4)
    for channel, length in enumerate(shape):
        centres = (np.arange(size) + 0.5) * side / size - 0.5
        whole = decoded[..., channel].mean(axis=1 - channel)
        places = (length - side) // 2 + centres
        expected = np.interp(places, np.arange(length), whole)
        along = image[..., channel].mean(axis=1 - channel)
        difference = (along - expected)[inner]
        # A pixel is 0.8 of a level or more.
        assert np.abs(difference).max() < 2
        assert abs(difference.mean()) < 0.2


def test_random_crops_have_the_areas_and_aspect_ratios(random_crops):
    assert random_crops.shape == (300, 32, 32, 3)
    windows = np.array([window(image) for image in random_crops])
    # Pixels show what is between their centres: a little less.
    heights = windows[:, 1] - windows[:, 0]
    widths = windows[:, 3] - windows[:, 2]
    areas = heights * widths
    ratios = widths * 200 / (heights * 150)
    assert 0.06 < areas.min() < 0.12
    assert 0.85 < areas.max() <= 1.0
    assert 0.7 < ratios.min() < 0.85
    assert 1.2 < ratios.max() < 1.45
    # Heights are uniform from 0.28 to 1, or to where the width is that of the
    # image: areas are not, and most are small.
    assert 0.33 < areas.mean() < 0.43


def test_random_crops_are_anywhere(random_crops):
    top, bottom, left, right = np.array(
        [window(image) for image in random_crops]
    ).T
    assert min(top.min(), left.min()) < 0.02
    assert max(bottom.max(), right.max()) > 0.98


def test_random_crops_follow_from_the_seed(random_crops):
    jpeg = support.gradient_jpeg(150, 200)
    again = images.random_resized_crop(jpeg, 32, [7, 0])
    np.testing.assert_array_equal(again, random_crops[0])
    assert len({image.tobytes() for image in random_crops}) == 300


def test_where_no_random_crop_fits_it_is_central():
    # No part of such a strip has 8 % of its area and the aspect ratio.
    jpeg = support.gradient_jpeg(10, 400)
    image = images.random_resized_crop(jpeg, 224, [0, 0])
    np.testing.assert_array_equal(image, images.central_crop(jpeg, 224))


def test_grey_images_get_three_channels():
    grey = tf.io.encode_jpeg(np.full((40, 40, 1), 200, np.uint8))
    image = images.central_crop(grey, 32).numpy()
    np.testing.assert_allclose(image, np.full((32, 32, 3), 200), atol=1)
