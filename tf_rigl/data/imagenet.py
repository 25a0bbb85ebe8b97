"""ImageNet-2012 from prepared TensorFlow Datasets files."""

from typing import Any

import tensorflow as tf

from tf_rigl.data import datasets
from tf_rigl.data import images
from tf_rigl.data import pipeline
from tf_rigl.data import tfds_reader
from tf_rigl.data.batching import Batching

NAME = "imagenet2012"
MEAN = (0.485, 0.456, 0.406)  # for red, green and blue
DEVIATION = (0.229, 0.224, 0.225)
TRAIN = "train"
EVALUATION = "validation"

_REMEDY = (
    "Its images may not be downloaded without an account: get "
    "ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar from "
    "https://image-net.org, put them in DIR/downloads/manual and run "
    "`tfds build imagenet2012 --data_dir=DIR`; then pass that DIR as "
    "`data_dir`."
)


def describe(
    data_dir: str | None = None, download: bool = False, image_size: int = 224
) -> datasets.DataInfo:
    """Reads the size of the data set from its metadata.

    Arguments and errors are those of `splits`.
    """
    return _describe(_open(data_dir, download), image_size)


def splits(
    batching: Batching,
    data_dir: str | None = None,
    download: bool = False,
    image_size: int = 224,
    cache: bool = False,
) -> datasets.DataSplits:
    """Makes batches of ImageNet.

    Training images are random crops of 8 to 100 % of the area with an aspect
    ratio of 3/4 to 4/3, resized (bicubic) and flipped at random. Evaluation
    images are the central crop of 87.5 % of the shorter side, resized. All are
    normalized by the mean and the deviation of each channel.

    Args:
        batching: size, seed and share of the batches.
        data_dir: folder of prepared TFDS data; None for TFDS's default.
        download: whether TFDS may prepare the data from the two archives; it
            cannot download them.
        image_size: height and width of images.
        cache: whether to keep the encoded images in memory: 151 GB in total,
            split among the workers.

    Returns:
        Batches of (float32 `[batch, size, size, 3]`, int32 `[batch]`).

    Raises:
        FileNotFoundError: if the data is missing or incomplete.
        ImportError: if TensorFlow Datasets is not installed.
        ValueError: if `image_size` is not positive, there are fewer images than
            one batch needs, or the files are not TFRecord files.

    References: He et al., "Deep Residual Learning for Image Recognition",
    arXiv:1512.03385, section 3.4. Goyal et al., "Accurate, Large Minibatch
    SGD", arXiv:1706.02677, section 5.1. The sizes, means and deviations are
    those of google-research/rigl, `imagenet_resnet/imagenet_train_eval.py`.
    """
    if image_size < 1:
        raise ValueError(
            f"`image_size` must be positive. Received: image_size={image_size}."
        )
    builder = _open(data_dir, download)
    info = _describe(builder, image_size)
    parse = tfds_reader.image_parser(builder)

    def parse_train(
        record: tf.Tensor, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        jpeg, label = parse(record)
        return augment(jpeg, image_size, seed), label

    def parse_evaluation(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        jpeg, label = parse(record)
        image = images.central_crop(jpeg, image_size)
        return images.normalize(image, MEAN, DEVIATION), label

    return datasets.DataSplits(
        pipeline.train_from_records(
            tfds_reader.reader(builder, TRAIN, batching),
            parse_train,
            info.train_examples,
            batching,
            cache=cache,
        ),
        pipeline.evaluation_from_records(
            tfds_reader.reader(builder, EVALUATION, batching)(None),
            parse_evaluation,
            batching,
            cache=cache,
        ),
        info,
    )


def augment(jpeg: tf.Tensor, image_size: int, seed: tf.Tensor) -> tf.Tensor:
    """Decodes and augments a JPEG, a scalar string, for training.

    `seed` is an int64 `[2]` seed of stateless random operations.

    Returns:
        float32 `[image_size, image_size, 3]`, normalized.
    """
    seeds = tf.random.split(seed, 2)
    image = images.random_resized_crop(jpeg, image_size, seeds[0])
    image = tf.image.stateless_random_flip_left_right(image, seeds[1])
    return images.normalize(image, MEAN, DEVIATION)


def _open(data_dir: str | None, download: bool) -> Any:
    return tfds_reader.open_builder(NAME, data_dir, download, _REMEDY)


def _describe(builder: Any, image_size: int) -> datasets.DataInfo:
    # TFDS does not know the shape, since the original images differ in size.
    info = tfds_reader.describe(builder, TRAIN, EVALUATION)
    return info._replace(example_shape=(image_size, image_size, 3))
