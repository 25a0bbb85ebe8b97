"""Crops, flips and normalization of images without hidden state.

Random choices depend on a seed argument or are drawn by the caller.
"""

from collections.abc import Sequence

import tensorflow as tf

_ATTEMPTS = 10


def shift_and_flip(
    images: tf.Tensor, shifts: tf.Tensor, flips: tf.Tensor
) -> tf.Tensor:
    """Shifts images with mirrored borders, and flips some of them.

    Shifts of -4 to 4 pixels are equivalent to random crops of images padded by
    4. The outermost pixels are mirrored as well, as in google-research/rigl,
    `cifar_resnet/data_helper.py`.

    Args:
        images: `[batch, height, width, channels]`.
        shifts: int32 `[batch, 2]`, the number of rows to shift up and of
            columns to shift left, less than the image's size.
        flips: bool `[batch]`, which images to flip left to right after the
            shift.

    Returns:
        `[batch, height, width, channels]`.
    """
    # The source row and column of each pixel of the result.
    _, height, width, channels = images.shape
    rows = _mirrored(tf.range(height) + shifts[:, :1], height)
    columns = tf.where(flips[:, None], tf.range(width)[::-1], tf.range(width))
    columns = _mirrored(columns + shifts[:, 1:], width)

    # One gather of flat pixels moves them all.
    sources = width * rows[:, :, None] + columns[:, None]
    pixels = tf.reshape(images, (-1, height * width, channels))
    return tf.gather(pixels, sources, axis=1, batch_dims=1)


def normalize(
    images: tf.Tensor, mean: Sequence[float], deviation: Sequence[float]
) -> tf.Tensor:
    """Normalizes images by the mean and the deviation of each channel.

    Images `[..., channels]` are in [0, 255]; mean and deviation refer to values
    in [0, 1]. The result is float32.
    """
    scale = 1 / (255 * tf.constant(deviation, tf.float32))
    shift = 255 * tf.constant(mean, tf.float32)
    return (tf.cast(images, tf.float32) - shift) * scale


def random_resized_crop(
    jpeg: tf.Tensor, size: int, seed: tf.Tensor
) -> tf.Tensor:
    """Crops a random part of a JPEG and resizes it.

    The part has 8 to 100 % of the area and an aspect ratio of 3/4 to 4/3. If
    ten draws find no such part, the central crop is used. Only the part is
    decoded.

    Unlike in the papers, the height is drawn uniformly instead of the area, so
    small parts are more frequent. This is how the operation of the TF1
    reference works, which is used here.

    Args:
        jpeg: the encoded image, a scalar string.
        size: height and width of the result.
        seed: int64 `[2]`, seed of stateless random operations.

    Returns:
        float32 `[size, size, 3]`, approximately in [0, 255]; bicubic
        interpolation overshoots at edges.

    References: Szegedy et al., "Going Deeper with Convolutions",
    arXiv:1409.4842, section 6. Goyal et al., "Accurate, Large Minibatch
    SGD", arXiv:1706.02677, section 5.1.
    """
    shape = tf.image.extract_jpeg_shape(jpeg)
    begin, extent, _ = tf.image.stateless_sample_distorted_bounding_box(
        shape,
        bounding_boxes=tf.zeros((1, 0, 4)),
        seed=seed,
        # The whole image is the bounding box, and any part of it is accepted;
        # only `area_range` bounds the size.
        min_object_covered=0.0,
        aspect_ratio_range=(3 / 4, 4 / 3),
        area_range=(0.08, 1.0),
        max_attempts=_ATTEMPTS,
        use_image_if_no_bounding_boxes=True,
    )

    window = tf.concat([begin[:2], extent[:2]], axis=0)
    # The operation returns the whole image if no draw fits.
    is_whole = tf.reduce_all(extent[:2] == shape[:2])
    window = tf.where(is_whole, _central_window(shape, size), window)

    return _decode_window(jpeg, window, size)


def central_crop(jpeg: tf.Tensor, size: int) -> tf.Tensor:
    """Crops the central square of a JPEG and resizes it.

    The side of the square is size / (size + 32) of the shorter side: 0.875 for
    224 pixels, as if the shorter side were first resized to 256. Arguments and
    result are those of `random_resized_crop`, without the seed.
    """
    window = _central_window(tf.image.extract_jpeg_shape(jpeg), size)
    return _decode_window(jpeg, window, size)


def _mirrored(places: tf.Tensor, length: int) -> tf.Tensor:
    """Reflects indices beyond both ends of an axis of `length` pixels."""
    places = tf.where(places < 0, -1 - places, places)
    return tf.where(places < length, places, 2 * length - 1 - places)


def _central_window(shape: tf.Tensor, size: int) -> tf.Tensor:
    """Returns first row, first column, height and width, int32 `[4]`."""
    shorter = tf.cast(tf.minimum(shape[0], shape[1]), tf.float32)
    side = tf.cast(tf.round(shorter * size / (size + 32)), tf.int32)
    # Keep at least one pixel of a tiny image.
    side = tf.maximum(side, 1)
    return tf.stack(
        [(shape[0] - side) // 2, (shape[1] - side) // 2, side, side]
    )


def _decode_window(jpeg: tf.Tensor, window: tf.Tensor, size: int) -> tf.Tensor:
    part = tf.image.decode_and_crop_jpeg(jpeg, window, channels=3)
    part = tf.image.resize(part, (size, size), tf.image.ResizeMethod.BICUBIC)
    return tf.ensure_shape(part, (size, size, 3))
