"""Sparse-training methods, one short file each, and what they are made of.

`algorithm` says what a method is to the rest of the library, `requirements`
what it needs of a training step, `schedule` when it acts and how much it
moves; `pruning` holds what those share that prune a dense network. `registry`
has a row for each method and imports no TensorFlow: a file is imported when a
name of it is first asked for here.
"""

import importlib
from typing import TYPE_CHECKING
from typing import Any

from tf_rigl.algorithms import registry

# For editors and type checkers only, which do not run `__getattr__`.
if TYPE_CHECKING:
    from tf_rigl.algorithms.ac_dc import ACDC as ACDC
    from tf_rigl.algorithms.algorithm import Algorithm as Algorithm
    from tf_rigl.algorithms.algorithm import StepInfo as StepInfo
    from tf_rigl.algorithms.algorithm import WeightUpdate as WeightUpdate
    from tf_rigl.algorithms.algorithm import WeightView as WeightView
    from tf_rigl.algorithms.dnw import DNW as DNW
    from tf_rigl.algorithms.gradual_pruning import (
        GradualPruning as GradualPruning,
    )
    from tf_rigl.algorithms.one_shot import OneShot as OneShot
    from tf_rigl.algorithms.requirements import Requirements as Requirements
    from tf_rigl.algorithms.rigl import RigL as RigL
    from tf_rigl.algorithms.schedule import DropSchedule as DropSchedule
    from tf_rigl.algorithms.schedule import MaskSchedule as MaskSchedule
    from tf_rigl.algorithms.set import SET as SET
    from tf_rigl.algorithms.snfs import SNFS as SNFS
    from tf_rigl.algorithms.snip import SNIP as SNIP
    from tf_rigl.algorithms.srigl import SRigL as SRigL
    from tf_rigl.algorithms.static import Static as Static
    from tf_rigl.algorithms.ste import STE as STE
    from tf_rigl.algorithms.top_kast import TopKAST as TopKAST

# What a method is made of, by the file that holds it.
_PARTS = {
    "Algorithm": "algorithm",
    "DropSchedule": "schedule",
    "MaskSchedule": "schedule",
    "Requirements": "requirements",
    "StepInfo": "algorithm",
    "WeightUpdate": "algorithm",
    "WeightView": "algorithm",
}

if not TYPE_CHECKING:
    # Type checkers, which do not run this, take the names above.
    __all__ = sorted([*_PARTS, *registry.class_names()])


def __getattr__(name: str) -> Any:
    """Finds a part, or a method by the name of its class."""
    module = _PARTS.get(name) or registry.find_module(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_PARTS, *registry.class_names()})
