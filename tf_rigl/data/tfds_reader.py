"""Access to data prepared by TensorFlow Datasets.

The network is never used unless `download` is true.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.data.batching import Batching
from tf_rigl.data.datasets import DataInfo

# Advice in error messages, unless the data set needs a different one.
_REMEDY = (
    "Pass `--download` on the command line (`download=True`), or run `tfds "
    "build {name}`; add `--data_dir=DIR` for another folder than "
    "~/tensorflow_datasets."
)


def open_builder(
    name: str,
    data_dir: str | None = None,
    download: bool = False,
    remedy: str | None = None,
) -> Any:
    """Returns TFDS's builder of a prepared data set, with all files present.

    Args:
        name: name of the data set in TFDS.
        data_dir: folder of prepared TFDS data; None for TFDS's default,
            `~/tensorflow_datasets`.
        download: whether TFDS may download and prepare missing data.
        remedy: advice for error messages; None for the default.

    Raises:
        FileNotFoundError: if the data is missing and `download` is false, or it
            is incomplete.
        ImportError: if TensorFlow Datasets is not installed, or lacks a
            package for preparing data.
    """
    tfds = _import_tfds(name)
    builder = tfds.builder(name, data_dir=data_dir)
    remedy = remedy or _REMEDY.format(name=name)

    if not builder.is_prepared():
        if not download:
            raise FileNotFoundError(
                f"The TFDS data set `{name}` must be prepared before it can be "
                f"read. Received: data_dir={data_dir!r}; there is none in "
                f"{builder.data_dir}. {remedy}"
            )
        _prepare(builder)

    missing, files = _missing_files(builder)
    if missing:
        raise FileNotFoundError(
            f"The TFDS data set `{name}` must be complete. Received: "
            f"data_dir={data_dir!r}; {len(missing)} of {files} files are "
            f"missing in {builder.data_dir}, first {missing[0]}. Remove the "
            f"folder and prepare it again. {remedy}"
        )
    return builder


def describe(builder: Any, train: str, evaluation: str) -> DataInfo:
    """Reads the size of an image data set from its builder's metadata."""
    info = builder.info
    return DataInfo(
        info.splits[train].num_examples,
        info.splits[evaluation].num_examples,
        info.features["label"].num_classes,
        tuple(info.features["image"].shape),
    )


def read_arrays(builder: Any, split: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Reads a split of equally sized images into host memory.

    Returns:
        Images, uint8 `[examples, height, width, channels]`, and labels, int32
        `[examples]`.
    """
    # Skip decoding other features of the examples.
    wanted = _import_tfds(builder.name).decode.PartialDecoding(
        {"image": True, "label": True}
    )
    with tf.device("CPU"):
        arrays = builder.as_dataset(
            split=split, batch_size=-1, shuffle_files=False, decoders=wanted
        )
        return arrays["image"], tf.cast(arrays["label"], tf.int32)


def reader(
    builder: Any, split: str, batching: Batching
) -> Callable[[tf.Tensor | None], tf.data.Dataset]:
    """Returns a function that reads one worker's share of a split.

    Shares are ranges of examples whose sizes differ by at most one, regardless
    of the number of files.

    Returns:
        A function that maps a seed, scalar int64, to the share's records,
        scalar strings, with the files ordered by the seed; None orders the
        files by name.

    Raises:
        ValueError: if the files are not TFRecord files.
    """
    tfds = _import_tfds(builder.name)
    if builder.info.file_format is not tfds.core.FileFormat.TFRECORD:
        raise ValueError(
            f"The TFDS data set `{builder.name}` must be stored as TFRecord "
            f"files to be read along. Received: {builder.info.file_format}. "
            f"Prepare it with `tfds build {builder.name} "
            "--file_format=tfrecord`."
        )
    share = tfds.even_splits(split, batching.shares)[batching.share]
    parts = builder.info.splits[share].file_instructions
    ranges = (
        [part.filename for part in parts],
        np.array([part.skip for part in parts], np.int64),
        np.array([part.take for part in parts], np.int64),
    )

    def read(seed: tf.Tensor | None) -> tf.data.Dataset:
        files = tf.data.Dataset.from_tensor_slices(ranges)
        if seed is not None:
            files = files.shuffle(len(parts), seed=seed)
        return files.interleave(
            _read_range,
            cycle_length=16,
            block_length=16,
            num_parallel_calls=tf.data.AUTOTUNE,
        )

    return read


def image_parser(
    builder: Any,
) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """Makes a function that parses the records of an image data set.

    It returns the encoded image, a string scalar, and the label, an int32
    scalar. Images are decoded later, so that only a part of each needs to be.
    """
    tfds = _import_tfds(builder.name)
    encoded = {"image": tfds.decode.SkipDecoding()}

    def parse(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        example = builder.info.features.deserialize_example(
            record, decoders=encoded
        )
        return example["image"], tf.cast(example["label"], tf.int32)

    return parse


def _read_range(
    file: tf.Tensor, skip: tf.Tensor, take: tf.Tensor
) -> tf.data.Dataset:
    # Read 8 MiB at a time, because network file systems have a high latency.
    records = tf.data.TFRecordDataset(file, buffer_size=8 << 20)
    return records.skip(skip).take(take)


def _import_tfds(name: str) -> ModuleType:
    # Imported lazily: it takes seconds, and not all data needs it.
    try:
        import tensorflow_datasets as tfds
    except ModuleNotFoundError as error:
        raise ImportError(
            f"The data set `{name}` needs TensorFlow Datasets. Install it with "
            "`pip install 'tf_rigl[data]'`."
        ) from error
    return tfds


def _prepare(builder: Any) -> None:
    try:
        builder.download_and_prepare()
    except ModuleNotFoundError as error:
        raise ImportError(
            "To prepare data, TFDS needs packages that it does not need to "
            "read them. Install them with `pip install apache-beam "
            f"importlib_resources`. Missing: {error.name}."
        ) from error


def _missing_files(builder: Any) -> tuple[list[str], int]:
    """Returns the names of missing files and the number expected."""
    present = set(tf.io.gfile.listdir(str(builder.data_dir)))
    files = [
        name
        for split in builder.info.splits.values()
        for name in sorted(split.filenames)
    ]
    return [name for name in files if name not in present], len(files)
