"""The arguments of a search, checked where they are passed."""

from typing import Any

import tensorflow as tf

from tf_rigl.core import checks
from tf_rigl.core import criteria
from tf_rigl.core import redraw
from tf_rigl.core import treatments

SCOPES = ("weight", "global")
RETRAIN = ("weights", "state", "learning_rate", "fine_tune")
_REDRAWS = ("reinit", *redraw.OF_INITIAL_VALUES)
ACTIONS = ("rewind", *_REDRAWS)
CONTROLS = ("random_mask", *_REDRAWS)


def check_model(model: Any) -> None:
    """Raises a ValueError unless the model is compiled with an optimizer."""
    if getattr(model, "optimizer", None) is None:
        raise ValueError(
            "A search rewinds the model and its optimizer. Received: "
            f"model={model.name!r}, which is not compiled with one. Compile it "
            "first."
        )


def check_counts(rounds: Any, rewind_step: Any) -> None:
    """Raises an error unless both are counts, `rounds` at least 1."""
    checks.check_positive("rounds", rounds)
    is_int = isinstance(rewind_step, int) and not isinstance(rewind_step, bool)
    if not is_int or rewind_step < 0:
        raise ValueError(
            "`rewind_step` must be a number of optimizer steps, 0 for the "
            f"initial values. Received: rewind_step={rewind_step!r}."
        )


def check_choices(
    scope: str, criterion: str, retrain: str, action: str, treatment: str
) -> None:
    """Raises a ValueError unless all are known and go together."""
    checks.check_choice("scope", scope, SCOPES)
    checks.check_choice("retrain", retrain, RETRAIN)
    checks.check_choice("action", action, ACTIONS)
    checks.check_choice("treatment", treatment, treatments.TREATMENTS)
    checks.check_choice("criterion", criterion, criteria.CRITERIA)
    if criteria.CRITERIA[criterion].needs_data:
        raise ValueError(
            "A search prunes trained values and has no data. Received: "
            f"criterion={criterion!r}, which needs derivatives. Choose another "
            "one, or call `prune` in a loop of your own."
        )
    if action != "rewind" and retrain != "weights":
        raise ValueError(
            "New values take the place of rewound weights. Received: "
            f"action={action!r} and retrain={retrain!r}. Pass "
            "retrain='weights'."
        )
    if treatment != "zero" and retrain not in ("weights", "state"):
        raise ValueError(
            "Pruned weights are frozen where the others are rewound. Received: "
            f"treatment={treatment!r} and retrain={retrain!r}. Pass "
            "retrain='weights' or 'state', or treatment='zero'."
        )


def check_control(how: str, treatment: str) -> None:
    """Raises a ValueError unless there is such a control."""
    checks.check_choice("how", how, CONTROLS)
    if how == "random_mask" and treatment != "zero":
        raise ValueError(
            "A random mask prunes other weights than the level did, for which "
            "the level has no values to freeze them at. Received: "
            f"how={how!r} in a search with treatment={treatment!r}. Choose "
            "another control, or one of a search with treatment='zero'."
        )


def check_reached(path: str, rewind_step: int) -> None:
    """Raises a ValueError unless level 0 has left the values of the step."""
    if not tf.io.gfile.exists(path):
        raise ValueError(
            "Level 0 must reach the step of rewinding. Received: "
            f"rewind_step={rewind_step}, before which it has ended. Train "
            "longer, or search in another directory with an earlier step."
        )
