"""Writes image data sets in the layout of TensorFlow Datasets.

TFDS reads these files like data that it has prepared itself, so they can take
the place of a data set that is not available.
"""

import json
import pathlib
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds


def write(
    name: str,
    splits: Mapping[str, Iterable[Mapping[str, Any]]],
    data_dir: pathlib.Path,
    shards: int = 1,
) -> pathlib.Path:
    """Writes a data set that `tfds.builder(name, data_dir=...)` finds.

    Args:
        name: a data set of TFDS, which determines version and features.
        splits: the examples of each split, as the builder would make them.
        data_dir: the folder of all data sets.
        shards: the number of files of each split.

    Returns:
        The folder of this data set.
    """
    builder = tfds.builder(name, data_dir=data_dir)
    folder = data_dir / name / str(builder.version)
    folder.mkdir(parents=True)
    features = builder.info.features

    infos = []
    for split, examples in splits.items():
        records = [
            features.serialize_example(features.encode_example(example))
            for example in examples
        ]

        template = tfds.core.ShardedFileTemplate(
            data_dir=folder,
            dataset_name=name,
            split=split,
            filetype_suffix="tfrecord",
        )
        parts = [records[shard::shards] for shard in range(shards)]
        for shard, part in enumerate(parts):
            file = template.sharded_filepath(
                shard_index=shard, num_shards=shards
            )
            with tf.io.TFRecordWriter(str(file)) as writer:
                for record in part:
                    writer.write(record)

        infos.append(
            tfds.core.SplitInfo(
                name=split,
                shard_lengths=[len(part) for part in parts],
                num_bytes=sum(map(len, records)),
                filename_template=template,
            )
        )
    _write_metadata(name, str(builder.version), features, infos, folder)
    return folder


def photograph(
    generator: np.random.Generator, height: int = 375, width: int = 500
) -> np.ndarray:
    """Draws random colors at all scales, which compress like a photograph.

    Returns:
        uint8 `[height, width, 3]`, by default the usual size in ImageNet.
    """
    image = np.zeros((height, width, 3), np.float32)
    for cells, contrast in ((3, 60), (12, 40), (48, 24), (192, 10)):
        coarse = generator.normal(0, contrast, (cells, cells, 3))
        image += tf.image.resize(
            coarse.astype(np.float32), (height, width), "bicubic"
        ).numpy()
    return np.clip(image + 128, 0, 255).astype(np.uint8)


def imagenet_examples(
    count: int, height: int = 375, width: int = 500, distinct: int = 64
) -> Iterator[dict[str, Any]]:
    """Makes examples with the features of ImageNet and random pixels.

    Example i has class i modulo 1000. The pixels repeat after `distinct`
    examples.
    """
    generator = np.random.default_rng(0)
    photographs = [
        photograph(generator, height, width)
        for _ in range(min(count, distinct))
    ]
    for index in range(count):
        yield {
            "image": photographs[index % distinct],
            "label": index % 1000,
            "file_name": f"{index:05d}.JPEG",
        }


def _write_metadata(
    name: str,
    version: str,
    features: Any,
    infos: list[Any],
    folder: pathlib.Path,
) -> None:
    tfds.folder_dataset.write_metadata(
        data_dir=folder,
        features=features,
        split_infos=infos,
        supervised_keys=("image", "label"),
        check_data=False,
    )
    # TFDS has named the data set "my_dataset" and its version 1.
    file = folder / "dataset_info.json"
    metadata = json.loads(file.read_text(encoding="utf-8"))
    metadata |= {"name": name, "version": version}
    file.write_text(json.dumps(metadata), encoding="utf-8")
