"""The flags of compressions: what is removed, and how the rest is trained.

A program calls `FLAGS.define` before absl parses the command line, and `read`
after.
"""

import dataclasses
from typing import NamedTuple

from absl import flags

from tf_rigl.experiments import fields
from tf_rigl.experiments.fields import AT_LEAST_ONE
from tf_rigl.experiments.fields import BELOW_ONE
from tf_rigl.experiments.fields import NOT_NEGATIVE
from tf_rigl.experiments.fields import FieldRule
from tf_rigl.experiments.fields import field
from tf_rigl.experiments.fields import one_of
from tf_rigl.experiments.process_sets.grid import ProcessGrid
from tf_rigl.experiments.process_sets.set_flags import SetFlags
from tf_rigl.experiments.runs.settings import RunOptions
from tf_rigl.experiments.runs.settings import RunSettings
from tf_rigl.experiments.sweeps import grid as grids
from tf_rigl.experiments.tickets import settings as searches
from tf_rigl.models import registry as networks

# `--help` should list these flags as those of the program.
flags.disclaim_key_flags()

SLIMMING = "slimming"
# Criteria of `prune_channels`, whose module imports TensorFlow, and slimming.
WITH_DATA = ("taylor", "activation", "apoz")
CRITERIA = (SLIMMING, "bn_scale", "l1", "l2", "fpgm", *WITH_DATA, "random")
SCOPES = ("auto", "layer", "global")
EARLY_BIRD = "early_bird"
WAYS = ("finetune", "scratch_e", "scratch_b", "ticket", EARLY_BIRD)
NO_LOW_PRECISION = "none"
LOW_PRECISIONS = (NO_LOW_PRECISION, "search", "all")

RUN_FLAGS = (
    *(name for name in searches.RUN_FLAGS if name != "dense_layers"),
    "slimming_strength",
)
OPTION_FLAGS = ("output_dir", "dry_run", "checkpoint_every", "export")
# A part of CIFAR's networks and of its epochs, which one core trains.
DEFAULTS = {
    "model": "slimming_vgg_19",
    "width": 0.125,
    "data": "cifar10",
    "epochs": 24,
    "batch_size": 64,
    "schedule": "step",
    "decay_epochs": (12.0, 18.0),
    "weight_decay": 0.0001,
    "output_dir": "runs/compress",
    "seeds": 3,
    "export": False,
}


@fields.documented
@dataclasses.dataclass(frozen=True)
class CompressSettings:
    """What channels are removed, and how the rest is trained.

    Raises:
        ValueError: if a value violates its rule or nothing is to be removed.
    """

    criterion: str = field(
        SLIMMING,
        "Score by which channels stay; slimming trains the large network with "
        "an L1 penalty on the scales of normalization, --slimming_strength, "
        "and compares them.",
        one_of(CRITERIA),
    )
    ratios: tuple[float, ...] = field(
        (0.3, 0.5, 0.7), "Fractions of the channels to remove, one by one."
    )
    pruned_models: tuple[str, ...] = field(
        (),
        "Networks, such as resnet_56_a, whose numbers of filters are further "
        "targets; they have the layers of --model.",
        FieldRule(
            lambda names: set(names) <= set(networks.BUILDERS),
            "networks of this package",
        ),
    )
    scope: str = field(
        "auto",
        "Whether channels compete within a layer, or all of them; auto is "
        "global for slimming and else layer.",
        one_of(SCOPES),
    )
    min_channels: int = field(
        1, "Fewest channels that a layer keeps.", AT_LEAST_ONE
    )
    select: bool = field(
        False,
        "With slimming, each normalization loses channels by itself, and "
        "selections of the others are put in front, as in the paper's "
        "pre-activation ResNets and DenseNets; else streams of channels are "
        "cut as a whole.",
    )
    score_batches: int = field(
        8,
        "Batches of training examples for the criteria taylor, activation and "
        "apoz.",
        AT_LEAST_ONE,
    )
    retrain: tuple[str, ...] = field(
        WAYS[:-1],
        "How to train what is left: from the trained weights (finetune), from "
        "new weights for as many epochs as the large network (scratch_e) or "
        "for as many FLOPs (scratch_b), or from its own first weights "
        "(ticket). early_bird cuts as soon as the channels to prune stay the "
        "same, and trains the epochs left.",
        FieldRule(
            lambda names: set(names) <= set(WAYS),
            f"each one of {', '.join(WAYS)}",
        ),
    )
    finetune_epochs: int = field(
        0,
        "Epochs of finetune; as many as the large network's if 0.",
        NOT_NEGATIVE,
    )
    finetune_rate: float = field(
        0.0,
        "Constant learning rate of finetune; if 0, the schedule of the large "
        "network, over its own epochs.",
        NOT_NEGATIVE,
    )
    most_epochs: int = field(
        0, "Most epochs of scratch_b; no limit if 0.", NOT_NEGATIVE
    )
    early_bird_threshold: float = field(
        0.1,
        "Largest fraction of the channels in which the masks of an early-bird "
        "ticket differ from those of the epochs before.",
        BELOW_ONE,
    )
    low_precision: str = field(
        NO_LOW_PRECISION,
        "What trains with simulated 8-bit numbers: none, the large network "
        "alone (search), or what is left, too (all).",
        one_of(LOW_PRECISIONS),
    )

    def __post_init__(self) -> None:
        fields.check(self)
        if self.ratios or not self.pruned_models:
            rule = FieldRule(lambda value: 0 < value < 1, "in (0, 1)")
            grids.check_list("ratios", self.ratios, rule)
        if not self.retrain:
            raise ValueError(
                "`retrain` must name at least one way. Received: retrain=(). "
                f"Choose of {', '.join(WAYS)}."
            )
        if self.select and (
            self.criterion != SLIMMING
            or self.pruned_models
            or self.scope == "layer"
        ):
            raise ValueError(
                "Selections are of slimming, of ratios and of all channels "
                f"together. Received: select=True, criterion="
                f"{self.criterion!r}, pruned_models={self.pruned_models}, "
                f"scope={self.scope!r}. Pass --noselect, or --criterion="
                "slimming and --ratios alone."
            )
        if EARLY_BIRD not in self.retrain:
            return
        if self.criterion != SLIMMING or self.pruned_models:
            raise ValueError(
                "Early-bird tickets are of slimming and of ratios. Received: "
                f"retrain={self.retrain}, criterion={self.criterion!r}, "
                f"pruned_models={self.pruned_models}. Leave early_bird out, or "
                "pass --criterion=slimming and --ratios alone."
            )

    @property
    def prune_criterion(self) -> str:
        """The criterion of `prune_channels`."""
        is_slimming = self.criterion == SLIMMING
        return "bn_scale" if is_slimming else self.criterion

    @property
    def prune_scope(self) -> str:
        """The scope of `prune_channels`."""
        if self.scope != "auto":
            return self.scope
        return "global" if self.criterion == SLIMMING else "layer"

    def in_low_precision(self, is_large: bool) -> bool:
        """Returns whether the large network, or what is left, is in 8 bits."""
        return self.low_precision == "all" or (
            is_large and self.low_precision == "search"
        )


class Target(NamedTuple):
    """How many channels are removed."""

    name: str  # in names of folders and in tables, as in "0.5"
    ratio: float | None  # None if a network has the numbers of filters


class Asked(NamedTuple):
    """What the flags ask for."""

    compress: CompressSettings
    grid: ProcessGrid
    base: RunSettings  # of every large network, but for seed and learning rate
    options: RunOptions

    @property
    def own(self) -> CompressSettings:
        """The settings that only compressions have."""
        return self.compress

    @property
    def targets(self) -> list[Target]:
        """The targets, those of ratios first."""
        return [
            *(Target(f"{one:g}", one) for one in self.compress.ratios),
            *(Target(name, None) for name in self.compress.pruned_models),
        ]


FLAGS = SetFlags(
    "compress", CompressSettings, RUN_FLAGS, OPTION_FLAGS, DEFAULTS
)


def read(values: flags.FlagValues = flags.FLAGS) -> Asked:
    """Makes of parsed flags what they ask for.

    Those of one compression leave the grid as it is by default.

    Raises:
        ValueError: if a value violates its rule or values contradict each
            other.
    """
    base = dataclasses.replace(
        fields.read_flags(RunSettings, values), method="dense"
    )
    grids.check_strategy("A compression", base.strategy)
    compress = fields.read_flags(CompressSettings, values)
    epochs = compress.finetune_epochs
    if epochs and not compress.finetune_rate and base.warmup_epochs >= epochs:
        raise ValueError(
            "`warmup_epochs` must be fewer than those of finetune. Received: "
            f"warmup_epochs={base.warmup_epochs:g}, finetune_epochs={epochs}. "
            "Fine-tune longer, or at a constant --finetune_rate."
        )
    decays = base.schedule in ("cosine", "linear")
    if EARLY_BIRD in compress.retrain and decays:
        raise ValueError(
            "An early-bird ticket goes on at the learning rate of its epoch, "
            f"in steps. Received: retrain={compress.retrain} and schedule="
            f"{base.schedule!r}. Choose --schedule=step or constant."
        )
    options = fields.read_flags(RunOptions, values)
    if options.export and compress.low_precision != NO_LOW_PRECISION:
        raise ValueError(
            "A model in low precision is not exported. Received: export=True "
            f"and low_precision={compress.low_precision!r}. Pass --noexport."
        )
    return Asked(
        compress, fields.read_flags(ProcessGrid, values), base, options
    )


def points(asked: Asked) -> list[grids.Point]:
    """Lists the compressions, those of a seed together."""
    return asked.grid.points(asked.base)
