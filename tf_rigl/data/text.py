"""Text files as sequences of characters, for next-character prediction.

A folder holds the files of raw WikiText-103 under their original names, or
`train.txt`, `valid.txt` and `test.txt`, in UTF-8. Keras reports the
cross-entropy in nats; divide it by ln 2 for bits per character.
"""

import codecs
import itertools
import os
import pathlib
from collections.abc import Callable
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_rigl.data import pipeline
from tf_rigl.data.batching import Batching
from tf_rigl.data.datasets import DataInfo
from tf_rigl.data.datasets import DataSplits

UNKNOWN = 0  # the index of all characters outside the vocabulary
PARTS = ("train", "valid", "test")
LAYOUTS = ("wiki.{}.raw", "{}.txt")  # names of the files of a folder

_CODE_POINTS = 0x110000
_CHUNK = 1 << 24  # bytes
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_Order = Callable[[tf.Tensor], tf.Tensor]

_REMEDY = (
    "Unpack wikitext-103-raw-v1.zip (Merity et al., arXiv:1609.07843; "
    "`wiki.train.raw`, `wiki.valid.raw`, `wiki.test.raw`) there, or put UTF-8 "
    "text there as `train.txt`, `valid.txt` and `test.txt`."
)


class Corpus(NamedTuple):
    """Two texts as character indices."""

    train: np.ndarray  # [characters] uint8, uint16 or int32
    evaluation: np.ndarray  # [characters] of the same dtype
    vocabulary: str  # the characters with the indices 1, 2, ...


def describe(
    data_dir: str | None = None,
    download: bool = False,
    time: int = 512,
    vocabulary_size: int = 256,
    evaluation: str = "valid",
) -> DataInfo:
    """Reads the texts and returns their size, for shuffled windows.

    Arguments and errors are those of `splits`.
    """
    del download
    corpus = load(data_dir, vocabulary_size, evaluation)
    examples, _ = _shuffled(corpus.train, time)
    return _describe(corpus, time, examples)


def splits(
    batching: Batching,
    data_dir: str | None = None,
    download: bool = False,
    time: int = 512,
    vocabulary_size: int = 256,
    evaluation: str = "valid",
    contiguous: bool = False,
) -> DataSplits:
    """Makes batches of text windows and the characters that follow.

    Training windows do not overlap; their order, and the start of the first
    one, are random in each epoch. Evaluation windows are consecutive from the
    first character on. A remainder shorter than a window is dropped.

    With `contiguous`, each row of a training batch continues where the same row
    of the previous batch ended, for networks that carry their state over. Rows
    are equal parts of the text, and all epochs are the same.

    Args:
        batching: size, seed and share of the batches.
        data_dir: the folder of the text files, or the parent of a folder
            `wikitext-103-raw`.
        download: ignored, since nothing is downloaded.
        time: number of characters in a window.
        vocabulary_size: maximum number of distinct indices, one of which stands
            for all unknown characters. The most frequent characters of the
            training text are kept. The RigL paper's network has 256.
        evaluation: the part to evaluate on, `"valid"` or `"test"`.
        contiguous: whether rows continue from batch to batch.

    Returns:
        Batches of (int32 `[batch, time]`, int32 `[batch, time]`): characters,
        and the next character of each. `info.classes` is the number of indices
        including that of unknown characters; `vocabulary` excludes it.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if `data_dir` is None, a text is not UTF-8 or is shorter
            than a window, there are fewer windows than one batch needs, or a
            number is out of range.
    """
    del download
    corpus = load(data_dir, vocabulary_size, evaluation)

    if contiguous:
        examples, order = _contiguous(corpus.train, time, batching.batch_size)
    else:
        examples, order = _shuffled(corpus.train, time)

    info = _describe(corpus, time, examples)
    cut_train = _cutter(corpus.train, time)
    cut_evaluation = _cutter(corpus.evaluation, time)

    return DataSplits(
        pipeline.train_from_memory(order, cut_train, examples, batching),
        pipeline.evaluation_from_memory(
            lambda indices: cut_evaluation(indices * time),
            info.evaluation_examples,
            batching,
        ),
        info,
        corpus.vocabulary,
    )


def find(data_dir: str | None, parts: tuple[str, ...]) -> list[pathlib.Path]:
    """Finds the text files of the given parts in a folder or its subfolder.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if `data_dir` is None or a part is unknown.
    """
    if data_dir is None:
        raise ValueError(
            "`data_dir` must be the folder of the text files. Received: "
            f"data_dir=None. {_REMEDY}"
        )

    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise ValueError(
            f"A part of a text must be one of {PARTS}. "
            f"Received: {unknown[0]!r}."
        )

    folder = pathlib.Path(data_dir).expanduser()
    found = "none of them"
    for place, layout in itertools.product(
        (folder, folder / "wikitext-103-raw"), LAYOUTS
    ):
        files = [place / layout.format(part) for part in parts]
        missing = [file.name for file in files if not file.is_file()]
        if not missing:
            return files
        if len(missing) < len(files):
            found = f"no {missing[0]}"
            break

    names = " and ".join(f'"{part}"' for part in parts)
    raise FileNotFoundError(
        f"`data_dir` must hold the text files of the parts {names}. Received: "
        f"data_dir={data_dir!r}, where there is {found}. {_REMEDY}"
    )


def load(
    data_dir: str | None, vocabulary_size: int = 256, evaluation: str = "valid"
) -> Corpus:
    """Reads and encodes the training text and an evaluation text.

    Arguments and errors are those of `splits`.
    """
    train_file, evaluation_file = find(data_dir, ("train", evaluation))
    vocabulary = make_vocabulary(train_file, vocabulary_size)
    return Corpus(
        encode_file(train_file, vocabulary),
        encode_file(evaluation_file, vocabulary),
        vocabulary,
    )


def make_vocabulary(
    file: str | os.PathLike[str], vocabulary_size: int = 256
) -> str:
    """Returns the most frequent characters of a text, sorted by code point.

    Ties go to the lower code point. One of the `vocabulary_size` indices is
    reserved for unknown characters.

    Raises:
        ValueError: if the text is not UTF-8, or `vocabulary_size` is below 2.
    """
    if vocabulary_size < 2:
        raise ValueError(
            "`vocabulary_size` must be at least 2. "
            f"Received: vocabulary_size={vocabulary_size}."
        )
    counts = np.zeros(_CODE_POINTS, np.int64)
    for points in _read_code_points(file):
        found, number = np.unique(points, return_counts=True)
        counts[found] += number
    by_frequency = np.argsort(-counts, kind="stable")[: vocabulary_size - 1]
    kept = np.sort(by_frequency[counts[by_frequency] > 0])
    return "".join(map(chr, kept))


def encode_file(file: str | os.PathLike[str], vocabulary: str) -> np.ndarray:
    """Encodes a UTF-8 text file as character indices.

    Characters of the vocabulary have the indices 1, 2, ...; all others have 0.
    The text is encoded as it is, including its line ends.

    Returns:
        Array of shape `[characters]` of the smallest of uint8, uint16 and int32
        that holds all indices.

    Raises:
        ValueError: if the text is not UTF-8.
    """
    table = np.zeros(_CODE_POINTS, _smallest_dtype(len(vocabulary)))
    table[_code_points(vocabulary)] = np.arange(1, len(vocabulary) + 1)
    parts = [table[points] for points in _read_code_points(file)]
    return np.concatenate(parts) if parts else table[:0]


def decode(numbers: np.ndarray, vocabulary: str) -> str:
    """Decodes indices `[characters]` to text; 0 becomes U+FFFD."""
    characters = _REPLACEMENT + vocabulary
    return "".join(characters[number] for number in numbers)


def _describe(corpus: Corpus, time: int, train_examples: int) -> DataInfo:
    _check_length(corpus.evaluation, time, "evaluation")
    return DataInfo(
        train_examples,
        (len(corpus.evaluation) - 1) // time,
        len(corpus.vocabulary) + 1,
        (time,),
    )


def _shuffled(text: np.ndarray, time: int) -> tuple[int, _Order]:
    """Returns the number of windows and a function that shuffles them.

    The function maps an epoch's key to the first character of each window.
    """
    _check_length(text, time, "training")
    examples = max(1, (len(text) - time) // time)
    # One more character after the last window is needed as a target.
    firsts = min(time, len(text) - examples * time)

    def order(key: tf.Tensor) -> tf.Tensor:
        first = tf.random.stateless_uniform((), key, 0, firsts, tf.int64)
        return first + time * pipeline.random_order(key, examples)

    return examples, order


def _contiguous(text: np.ndarray, time: int, rows: int) -> tuple[int, _Order]:
    """Returns what `_shuffled` does, for rows that continue across batches."""
    _check_length(text, time, "training")
    stride = (len(text) - 1) // rows
    steps = stride // time
    if not steps:
        raise ValueError(
            "`batch_size` rows of `time` characters must fit into the "
            f"training text of {len(text):,} characters. Received: "
            f"batch_size={rows}, time={time}. Choose a smaller batch."
        )

    def order(key: tf.Tensor) -> tf.Tensor:
        del key
        step = tf.range(steps, dtype=tf.int64)[:, None]
        row = tf.range(rows, dtype=tf.int64)[None]
        return tf.reshape(time * step + stride * row, [-1])

    return steps * rows, order


def _cutter(
    text: np.ndarray, time: int
) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """Returns a function from window starts to windows and targets."""
    with tf.device("CPU"):
        numbers = tf.constant(text)

    def cut(starts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        places = starts[:, None] + tf.range(time + 1, dtype=tf.int64)
        window = tf.cast(tf.gather(numbers, places), tf.int32)
        return window[:, :-1], window[:, 1:]

    return cut


def _check_length(text: np.ndarray, time: int, part: str) -> None:
    if time < 1:
        raise ValueError(f"`time` must be positive. Received: time={time}.")
    if len(text) <= time:
        raise ValueError(
            f"The {part} text must be longer than `time`. Received: "
            f"time={time} for {len(text):,} characters."
        )


def _read_code_points(file: str | os.PathLike[str]) -> Iterator[np.ndarray]:
    """Yields a text as uint32 code points, one chunk of the file at a time.

    Raises:
        ValueError: if the text is not UTF-8.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with open(file, "rb") as stream:
            while chunk := stream.read(_CHUNK):
                yield _code_points(decoder.decode(chunk))
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"A text must be UTF-8. Received: {os.fspath(file)!r} "
            f"({error.reason}). Convert it, for instance with `iconv`."
        ) from error


def _code_points(characters: str) -> np.ndarray:
    return np.frombuffer(characters.encode("utf-32-le"), "<u4")


def _smallest_dtype(largest: int) -> type[np.integer]:
    for dtype in (np.uint8, np.uint16):
        if largest <= np.iinfo(dtype).max:
            return dtype
    return np.int32
