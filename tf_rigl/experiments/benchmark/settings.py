"""The settings of a benchmark, known before TensorFlow is imported."""

import dataclasses

from absl import flags

from tf_rigl.experiments import fields
from tf_rigl.experiments.fields import AT_LEAST_ONE
from tf_rigl.experiments.fields import NOT_NEGATIVE
from tf_rigl.experiments.fields import POSITIVE
from tf_rigl.experiments.fields import field
from tf_rigl.experiments.sweeps import grid

flags.disclaim_key_flags()


@fields.documented
@dataclasses.dataclass(frozen=True)
class BenchmarkSettings:
    """What models are called on, and how often.

    Raises:
        ValueError: if a value violates its rule, or a list repeats one.
    """

    batch_sizes: tuple[int, ...] = field(
        (1, 32), "Examples of a call; each is measured."
    )
    threads: tuple[int, ...] = field(
        (1,), "Threads that a call may use; each is measured."
    )
    rounds: int = field(
        5, "Rounds, in each of which all models take a turn.", AT_LEAST_ONE
    )
    seconds: float = field(
        0.5, "Seconds of calls in the turn of a model.", POSITIVE
    )
    input: str = field(
        "",
        "Inputs of the models, .npy or .npz, by name or in their order; random "
        "if unset.",
    )
    open_size: int = field(
        64,
        "Size of random inputs in dimensions that a model leaves open, besides "
        "the batch: time steps, height and width.",
        AT_LEAST_ONE,
    )
    input_seed: int = field(0, "Seed of random inputs.", NOT_NEGATIVE)
    imports: tuple[str, ...] = field(
        (), "Modules that register the layers of .keras files."
    )
    output_dir: str = field("runs/benchmark", "Folder of the results.")

    def __post_init__(self) -> None:
        fields.check(self)
        for name in ("batch_sizes", "threads"):
            grid.check_list(name, getattr(self, name), AT_LEAST_ONE)


def define(values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines the flags."""
    fields.define_flags(BenchmarkSettings, values)


def read(values: flags.FlagValues = flags.FLAGS) -> BenchmarkSettings:
    """Makes settings of parsed flags.

    Raises:
        ValueError: if a value violates its rule.
    """
    found: BenchmarkSettings = fields.read_flags(BenchmarkSettings, values)
    return found
