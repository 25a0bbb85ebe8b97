import numpy as np
import tensorflow as tf


def arrays(dataset):
    return [tuple(part.numpy() for part in batch) for batch in dataset]


def joined(dataset):
    return tuple(map(np.concatenate, zip(*arrays(dataset), strict=True)))


def labels(dataset):
    return joined(dataset)[1].tolist()


def same(dataset, other):
    pairs = zip(arrays(dataset), arrays(other), strict=True)
    return all(
        np.array_equal(a, b)
        for first, second in pairs
        for a, b in zip(first, second, strict=True)
    )


def contexts(workers, replicas=None):
    """The contexts of all workers; one replica each, unless told."""
    return [
        tf.distribute.InputContext(
            num_input_pipelines=workers,
            input_pipeline_id=worker,
            num_replicas_in_sync=replicas or workers,
        )
        for worker in range(workers)
    ]


def gradient_jpeg(height, width):
    """Red is the row and green the column, from 0 to 255."""
    rows = np.linspace(0, 255, height)[:, None] * np.ones((1, width))
    columns = np.linspace(0, 255, width)[None] * np.ones((height, 1))
    pixels = np.stack([rows, columns, np.full_like(rows, 128)], axis=-1)
    return tf.io.encode_jpeg(
        np.round(pixels).astype(np.uint8),
        quality=100,
        chroma_downsampling=False,
    )
