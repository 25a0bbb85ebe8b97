"""Tasks: the shape and kind of the data, with its loss and metrics."""

import math
from collections.abc import Mapping
from types import ModuleType
from typing import Any
from typing import NamedTuple

import tensorflow as tf

from tf_rigl.data import arrays
from tf_rigl.data import cifar
from tf_rigl.data import datasets
from tf_rigl.data import in_memory
from tf_rigl.data import registry as data_sets
from tf_rigl.data.batching import Batching
from tf_rigl.experiments import user_code
from tf_rigl.experiments.runs.settings import RunSettings

IMAGES = "images"
CHARACTERS = "characters"

CHARACTER_MODELS = ("character_gru", "character_lstm")
CHARACTER_DATA = ("text", "synthetic_characters")
# With fewer classes, top-5 accuracy says little.
_CLASSES_OF_TOP_5 = 100


class Task(NamedTuple):
    """The kind of examples and classes that a network is trained for."""

    kind: str  # IMAGES or CHARACTERS
    classes: int  # the number of classes of images or of distinct characters
    example_shape: tuple[int, ...]
    label_smoothing: float = 0.0

    @property
    def has_top_5(self) -> bool:
        """Returns whether top-5 accuracy is measured."""
        return self.kind == IMAGES and self.classes >= _CLASSES_OF_TOP_5

    @property
    def headline(self) -> str:
        """The measure that tables of results show."""
        return "accuracy" if self.kind == IMAGES else "bits_per_character"


def make_task(settings: RunSettings, info: datasets.DataInfo) -> Task:
    """Makes the task of a run."""
    return Task(
        kind_of_data(settings.data),
        info.classes,
        info.example_shape,
        settings.label_smoothing,
    )


def kind_of_data(data: str) -> str:
    """Returns the kind of the examples of a data set."""
    return CHARACTERS if data in CHARACTER_DATA else IMAGES


def check_kinds(settings: RunSettings) -> None:
    """Raises a ValueError if network or settings need another kind of data."""
    can_hold_out = (
        user_code.is_reference(settings.data)
        or data_sets.SOURCES[settings.data].holds_out
    )
    if settings.validation_examples and not can_hold_out:
        able = [
            name for name, one in data_sets.SOURCES.items() if one.holds_out
        ]
        raise ValueError(
            "`validation_examples` must be 0 for data that are not kept in "
            "memory. Received: "
            f"validation_examples={settings.validation_examples} for data="
            f"{settings.data!r}. These can hold examples out: "
            f"{', '.join(able)}, and your own arrays."
        )

    if not settings.augment and settings.data == "imagenet2012":
        raise ValueError(
            "`augment` must be true for data='imagenet2012', whose training "
            "images are of many sizes. Received: augment=False. Leave "
            "--noaugment out, which is for CIFAR."
        )

    if user_code.is_reference(settings.model):
        return  # only its owner knows
    reads = CHARACTERS if settings.model in CHARACTER_MODELS else IMAGES
    found = kind_of_data(settings.data)
    if reads != found:
        raise ValueError(
            f"`data` must be {reads}, which is what the network reads. "
            f"Received: model={settings.model!r}, data={settings.data!r}, "
            f"which has {found}. Choose another model or other data."
        )


def describe_data(settings: RunSettings) -> datasets.DataInfo:
    """Returns the size of the data set of a run, less what is held out.

    Raises the errors of `load_splits`.
    """
    if user_code.is_reference(settings.data):
        pairs = user_code.load_arrays(settings.data, settings.data_dir)
        info = arrays.describe(*(arrays.Arrays(*pair) for pair in pairs))
    else:
        info = data_sets.describe(
            settings.data,
            settings.data_dir,
            settings.download,
            **data_arguments(settings),
        )
    return in_memory.hold_out(info, settings.validation_examples)


def load_splits(
    settings: RunSettings, batching: Batching, **changes: Any
) -> datasets.DataSplits:
    """Reads the data set of a run; `changes` are further arguments for it.

    Raises:
        FileNotFoundError: if the data is missing.
        ImportError: if a package to read the data is not installed.
        ValueError: if the data does not suit the batching.
    """
    if user_code.is_reference(settings.data):
        pairs = user_code.load_arrays(settings.data, settings.data_dir)
        train, evaluation = (arrays.Arrays(*pair) for pair in pairs)
        return arrays.splits(
            batching, train, evaluation, settings.validation_examples
        )
    return data_sets.splits(
        settings.data,
        batching,
        settings.data_dir,
        settings.download,
        **data_arguments(settings),
        **_split_arguments(settings),
        **changes,
    )


def data_arguments(settings: RunSettings) -> dict[str, Any]:
    """Returns the arguments that are specific to the data set of a run."""
    if settings.data == "text":
        return {
            "time": settings.sequence_length,
            "vocabulary_size": settings.vocabulary_size,
        }
    if settings.data == "imagenet2012":
        return {"image_size": settings.image_size}
    return {}


def _split_arguments(settings: RunSettings) -> dict[str, Any]:
    """Returns the arguments of how the examples are used."""
    found: dict[str, Any] = {}
    if settings.validation_examples:
        found["validation_examples"] = settings.validation_examples
    if settings.data in cifar.NAMES:
        found["augment"] = settings.augment
    return found


def network_arguments(task: Task) -> dict[str, Any]:
    """Returns the arguments of a network's builder that depend on the data."""
    if task.kind == CHARACTERS:
        return {"vocabulary": task.classes, "length": task.example_shape[0]}
    return {"input_shape": task.example_shape, "classes": task.classes}


def encode(dataset: tf.data.Dataset, task: Task) -> tf.data.Dataset:
    """Converts batches of (inputs, int32 classes) to targets for the loss.

    With label smoothing, classes become float32 one-hot vectors along a new
    last axis. Otherwise they are unchanged.
    """
    if not task.label_smoothing:
        return dataset
    return dataset.map(
        lambda inputs, targets: (inputs, tf.one_hot(targets, task.classes)),
        num_parallel_calls=tf.data.AUTOTUNE,
    )


def make_loss(keras: ModuleType, task: Task) -> Any:
    """Makes the loss: the cross-entropy of logits, in nats."""
    if task.label_smoothing:
        return keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=task.label_smoothing
        )
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def make_metrics(keras: ModuleType, task: Task) -> list[Any]:
    """Makes the metrics of `fit` and `evaluate`.

    Unlike the loss, their cross-entropy has no label smoothing or weight decay.
    """
    prefix = "" if task.label_smoothing else "Sparse"

    def metric(kind: str) -> Any:
        return getattr(keras.metrics, prefix + kind)

    metrics = [
        metric("CategoricalAccuracy")(name="accuracy"),
        metric("CategoricalCrossentropy")(
            name="cross_entropy", from_logits=True
        ),
    ]
    if task.has_top_5:
        top_5 = metric("TopKCategoricalAccuracy")
        metrics.append(top_5(name="top_5_accuracy", k=5))
    return metrics


def measures(task: Task, scores: Mapping[str, float]) -> dict[str, float]:
    """Returns the measures of a network from the scores of `evaluate`.

    They are the scores without the loss, with the cross-entropy in nats. For
    characters, bits per character and the perplexity are added.
    """
    result = {
        name: float(value) for name, value in scores.items() if name != "loss"
    }
    if task.kind == CHARACTERS:
        nats = result["cross_entropy"]
        result["bits_per_character"] = nats / math.log(2)
        result["perplexity"] = math.exp(min(nats, 700.0))
    return result
