"""Sparse-training methods, one file each, and the interface they implement.

`algorithm` defines the interface to the rest of the library, `requirements`
what a method needs from a training step, `penalty` what may be added to its
loss, `schedule` when it updates masks and how many connections it moves;
`pruning` holds the code shared by methods that prune a dense network, `scales`
which scales of normalization layers stand for channels; `itop` makes methods by
the recipes of a paper. `registry` has one row
per method and imports no TensorFlow; a method's file is imported when its name
is first accessed here.
"""

import importlib
from typing import TYPE_CHECKING
from typing import Any

from tf_rigl.algorithms import registry

# Only for editors and type checkers, which do not run `__getattr__`.
if TYPE_CHECKING:
    from tf_rigl.algorithms.ac_dc import ACDC as ACDC
    from tf_rigl.algorithms.algorithm import Algorithm as Algorithm
    from tf_rigl.algorithms.algorithm import StepInfo as StepInfo
    from tf_rigl.algorithms.algorithm import WeightUpdate as WeightUpdate
    from tf_rigl.algorithms.algorithm import WeightView as WeightView
    from tf_rigl.algorithms.dnw import DNW as DNW
    from tf_rigl.algorithms.edge_popup import EdgePopup as EdgePopup
    from tf_rigl.algorithms.gradual_pruning import (
        GradualPruning as GradualPruning,
    )
    from tf_rigl.algorithms.granet import GraNet as GraNet
    from tf_rigl.algorithms.itop import rigl_itop as rigl_itop
    from tf_rigl.algorithms.itop import set_itop as set_itop
    from tf_rigl.algorithms.mest import MEST as MEST
    from tf_rigl.algorithms.one_shot import OneShot as OneShot
    from tf_rigl.algorithms.penalty import Penalty as Penalty
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
    from tf_rigl.algorithms.supermask import Supermask as Supermask
    from tf_rigl.algorithms.top_kast import TopKAST as TopKAST

# Module of each name of the interface.
_PARTS = {
    "Algorithm": "algorithm",
    "DropSchedule": "schedule",
    "MaskSchedule": "schedule",
    "Penalty": "penalty",
    "Requirements": "requirements",
    "StepInfo": "algorithm",
    "WeightUpdate": "algorithm",
    "WeightView": "algorithm",
    "rigl_itop": "itop",
    "set_itop": "itop",
}

if not TYPE_CHECKING:
    # Hidden from type checkers, which use the imports above instead.
    __all__ = sorted([*_PARTS, *registry.class_names()])


def __getattr__(name: str) -> Any:
    """Imports a name of the interface, or a method by its class name."""
    module = _PARTS.get(name) or registry.find_module(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_PARTS, *registry.class_names()})
