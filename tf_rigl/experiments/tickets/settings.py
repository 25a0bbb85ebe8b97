"""The flags of ticket searches: what each of them does, and their number.

A program calls `FLAGS.define` before absl parses the command line, and `read`
after.
"""

import dataclasses
from typing import Any
from typing import NamedTuple

from absl import flags

from tf_rigl.experiments import fields
from tf_rigl.experiments.fields import AT_LEAST_ONE
from tf_rigl.experiments.fields import NOT_NEGATIVE
from tf_rigl.experiments.fields import FieldRule
from tf_rigl.experiments.fields import field
from tf_rigl.experiments.fields import one_of
from tf_rigl.experiments.process_sets.grid import ProcessGrid
from tf_rigl.experiments.process_sets.set_flags import SetFlags
from tf_rigl.experiments.runs.settings import RunOptions
from tf_rigl.experiments.runs.settings import RunSettings
from tf_rigl.experiments.sweeps import grid as grids

# `--help` should list these flags as those of the program.
flags.disclaim_key_flags()

# Choices of `TicketSearch`, whose modules import TensorFlow.
SCOPES = ("weight", "global")
RETRAIN = ("weights", "state", "learning_rate", "fine_tune")
REDRAWS = ("reinit", "reshuffle", "constant", "tickets")
CRITERIA = (
    "large_final",
    "small_final",
    "large_init",
    "small_init",
    "large_init_large_final",
    "small_init_small_final",
    "magnitude_increase",
    "movement",
    "large_final_same_sign",
    "large_final_diff_sign",
    "magnitude_increase_same_sign",
    "magnitude_increase_diff_sign",
    "magnitude",
    "normalized_magnitude",
    "random",
)
TREATMENTS = (
    "zero",
    "initial",
    "movement",
    "movement_all",
    "reshuffled_movement",
    "reverse_movement",
)
KEEPS_SIGN = "_keep_sign"
CONTROLS = (
    *REDRAWS,
    *(f"{how}{KEEPS_SIGN}" for how in REDRAWS),
    "random_mask",
)

# The flags of runs that a search has: those of the network, the data, the
# training of the weights, and the devices. The seeds are `--seeds`.
RUN_FLAGS = (
    "model",
    "width",
    "dropout",
    "kernel_initializer",
    "data",
    "data_dir",
    "download",
    "validation_examples",
    "augment",
    "dense_layers",
    "keras",
    "precision",
    "epochs",
    "multiplier",
    "batch_size",
    "optimizer",
    "learning_rate",
    "schedule",
    "warmup_epochs",
    "decay_epochs",
    "decay_factor",
    "momentum",
    "weight_decay",
    "clip_norm",
    "label_smoothing",
    "steps_per_epoch",
    "steps_per_execution",
    "evaluation_steps",
    "strategy",
    "devices",
    "tpu",
)
OPTION_FLAGS = ("output_dir", "dry_run", "checkpoint_every")
# LeNet-300-100 with the paper's optimizer, on the part of MNIST that comes with
# the package and for a twenty-fifth of the paper's steps.
DEFAULTS = {
    "model": "lenet_300_100",
    "data": "mnist_small",
    "validation_examples": 1000,
    "epochs": 40,
    "steps_per_epoch": 50,
    "batch_size": 60,
    "optimizer": "adam",
    "learning_rate": 0.0012,
    "schedule": "constant",
    "output_dir": "runs/tickets",
}
# A search masks all connections; pruning takes them out.
_OF_SEARCHES: dict[str, Any] = {"method": "static", "sparsity": 0.0}


@fields.documented
@dataclasses.dataclass(frozen=True)
class SearchSettings:
    """What a search does, in each of its rounds and in its controls.

    Raises:
        ValueError: if a value violates its rule or two values contradict each
            other.
    """

    rounds: int = field(
        15, "Number of prunings; there is a level more.", AT_LEAST_ONE
    )
    prune_rate: float = field(
        0.2,
        "Fraction of the connections left that a round drops.",
        fields.BELOW_ONE,
    )
    prune_rates: tuple[str, ...] = field(
        (), "Rates of single layers, as in logits=0.1,conv1=0.15."
    )
    scope: str = field(
        "weight",
        "Whether each weight loses its rate, or all compete.",
        one_of(SCOPES),
    )
    criterion: str = field(
        "large_final", "Score by which connections stay.", one_of(CRITERIA)
    )
    rewind_step: int = field(
        0,
        "Step to whose values levels are rewound; 0 for the initial ones.",
        NOT_NEGATIVE,
    )
    retrain: str = field(
        "weights",
        "What is rewound: weights, also the optimizer's slots (state), only "
        "the learning rate, or nothing (fine_tune).",
        one_of(RETRAIN),
    )
    action: str = field(
        "rewind",
        "What becomes of the weights that are left in each round.",
        one_of(("rewind", *REDRAWS)),
    )
    keep_sign: bool = field(
        False, "Whether values that --action draws keep their signs."
    )
    treatment: str = field(
        "zero",
        "What becomes of pruned weights: masked (zero), or frozen at initial "
        "values, or by their movement towards zero.",
        one_of(TREATMENTS),
    )
    controls: tuple[str, ...] = field(
        ("reinit", "random_mask"),
        "What to compare tickets with: random_mask, or new values by reinit, "
        "reshuffle, constant or tickets, or one of these with _keep_sign.",
        FieldRule(
            lambda names: set(names) <= set(CONTROLS),
            f"each one of {', '.join(CONTROLS)}",
        ),
    )
    control_levels: tuple[int, ...] = field(
        (), "Levels that have controls; the last one if unset."
    )
    draws: int = field(
        1, "Number of controls of a kind, level and seed.", AT_LEAST_ONE
    )

    def __post_init__(self) -> None:
        fields.check(self)
        known = range(self.rounds + 1)
        if self.controls and not set(self.control_levels) <= set(known):
            raise ValueError(
                "`control_levels` must be levels of the search, 0 to "
                f"rounds={self.rounds}. Received: "
                f"control_levels={self.control_levels}. Leave out those that "
                "there are not, or search for more rounds."
            )
        if self.action != "rewind" and self.retrain != "weights":
            raise ValueError(
                "New values take the place of rewound weights. Received: "
                f"action={self.action!r} and retrain={self.retrain!r}. Pass "
                "--retrain=weights."
            )
        self._check_treatment()
        self.rates()

    def _check_treatment(self) -> None:
        if self.treatment == "zero":
            return
        if self.retrain not in ("weights", "state"):
            raise ValueError(
                "Pruned weights are frozen where the others are rewound. "
                f"Received: treatment={self.treatment!r} and "
                f"retrain={self.retrain!r}. Pass --retrain=weights or state."
            )
        if "random_mask" in self.controls:
            raise ValueError(
                "A random mask prunes other weights than the level did, for "
                "which there are no values to freeze them at. Received: "
                f"treatment={self.treatment!r} and controls={self.controls}. "
                "Leave random_mask out: --controls=reinit."
            )

    def rates(self) -> dict[str, float]:
        """Returns the rates of single layers, by their names.

        Raises:
            ValueError: if one is not of the form name=rate.
        """
        rates = {}
        for one in self.prune_rates:
            name, _, rate = one.rpartition("=")
            try:
                rates[name] = float(rate)
            except ValueError:
                name = ""
            if not name:
                raise ValueError(
                    "`prune_rates` must be of the form layer=rate. Received: "
                    f"prune_rates={','.join(self.prune_rates)!r}. For half the "
                    "rate in the output layer pass logits=0.1."
                )
        return rates

    def levels_with_controls(self) -> tuple[int, ...]:
        """Returns the numbers of the levels that have controls."""
        return self.control_levels or (self.rounds,)


class Asked(NamedTuple):
    """What the flags ask for."""

    search: SearchSettings
    grid: ProcessGrid
    base: RunSettings  # of every search, but for seed and learning rate
    options: RunOptions

    @property
    def own(self) -> SearchSettings:
        """The settings that only searches have."""
        return self.search


FLAGS = SetFlags("tickets", SearchSettings, RUN_FLAGS, OPTION_FLAGS, DEFAULTS)


def read(values: flags.FlagValues = flags.FLAGS) -> Asked:
    """Makes of parsed flags what they ask for.

    Those of one search leave the grid as it is by default.

    Raises:
        ValueError: if a value violates its rule or values contradict each
            other.
    """
    base = dataclasses.replace(
        fields.read_flags(RunSettings, values), **_OF_SEARCHES
    )
    grids.check_strategy("A search", base.strategy)
    search = fields.read_flags(SearchSettings, values)
    _check(search, base)
    return Asked(
        search,
        fields.read_flags(ProcessGrid, values),
        base,
        fields.read_flags(RunOptions, values),
    )


def points(asked: Asked) -> list[grids.Point]:
    """Lists the searches, those of a seed together."""
    return asked.grid.points(asked.base)


def _check(search: SearchSettings, base: RunSettings) -> None:
    """Raises a ValueError if a search cannot be as the runs are."""
    if not base.validation_examples:
        raise ValueError(
            "A search looks for the early stop on validation data. Received: "
            "validation_examples=0. Hold some of the training examples out, "
            "such as --validation_examples=5000."
        )
    decays = base.schedule in ("cosine", "linear")
    if search.retrain == "fine_tune" and decays:
        raise ValueError(
            "Fine-tuning goes on at the last learning rate, which is 0 after "
            f"a decay to 0. Received: retrain='fine_tune' and "
            f"schedule={base.schedule!r}. Choose --schedule=step or constant, "
            "or --retrain=learning_rate."
        )
