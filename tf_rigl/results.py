"""The types of what functions of this library return; nobody constructs them.

| returned by | type |
| --- | --- |
| `tf_rigl.profile` | `ModelProfile` |
| `tf_rigl.match_width` | `WidthMatch` |
| `tf_rigl.diagnose` | `ModelDiagnostics` |
| `tf_rigl.mask_overlap` | `MaskOverlap`, which holds `WeightOverlap`s |
| `tf_rigl.error_barrier` | `ErrorBarrier` |
| `tf_rigl.drop_and_grow` | `MaskUpdate` |
| `tf_rigl.channel_groups` | `ChannelGroups`, `ChannelGroup`, `ChannelMember` |
| `tf_rigl.prune_channels` | `PrunedChannels`, which holds a `ChannelReport` |
| `tf_rigl.ranks` | `FactorReport`, which holds `KernelRank`s |
| `tf_rigl.shrink` | `Shrunk`, which holds a `ShrinkReport` |
| `tf_rigl.export_saved_model` | `ExportReport` |
| `tf_rigl.export_litert` | `LiteRTReport` |
| `tf_rigl.check_xnnpack` | `XNNPACKReport` |
| `tf_rigl.export_plan` | `PlanReport`, which holds `StepReport`s |
| `tf_rigl.check_plan` | `PlanCheck`, which holds `LayerCheck`s |
| `tf_rigl.sweep` | `SweepResult`, which holds `SweepRow`s |
"""

from typing import TYPE_CHECKING

from tf_rigl import _lazy

if TYPE_CHECKING:
    # For type checkers and editors: the names of `_NAMES`.
    from tf_rigl.accounting.match_width import WidthMatch as WidthMatch
    from tf_rigl.accounting.model_profile import ModelProfile as ModelProfile
    from tf_rigl.core.drop_and_grow import MaskUpdate as MaskUpdate
    from tf_rigl.diagnostics.diagnose import (
        ModelDiagnostics as ModelDiagnostics,
    )
    from tf_rigl.diagnostics.mask_overlap import MaskOverlap as MaskOverlap
    from tf_rigl.diagnostics.mask_overlap import WeightOverlap as WeightOverlap
    from tf_rigl.experiments.sweeps.sweep_result import (
        SweepResult as SweepResult,
    )
    from tf_rigl.experiments.sweeps.sweep_result import SweepRow as SweepRow
    from tf_rigl.export.litert.report import LiteRTReport as LiteRTReport
    from tf_rigl.export.litert.xnnpack_report import (
        XNNPACKReport as XNNPACKReport,
    )
    from tf_rigl.export.plan.report import LayerCheck as LayerCheck
    from tf_rigl.export.plan.report import PlanCheck as PlanCheck
    from tf_rigl.export.plan.report import PlanReport as PlanReport
    from tf_rigl.export.plan.report import StepReport as StepReport
    from tf_rigl.export.saved_model.report import ExportReport as ExportReport
    from tf_rigl.factors.report import FactorReport as FactorReport
    from tf_rigl.factors.report import KernelRank as KernelRank
    from tf_rigl.surgery.channel_groups import ChannelGroup as ChannelGroup
    from tf_rigl.surgery.channel_groups import ChannelGroups as ChannelGroups
    from tf_rigl.surgery.channel_groups import ChannelMember as ChannelMember
    from tf_rigl.surgery.prune_channels import ChannelReport as ChannelReport
    from tf_rigl.surgery.prune_channels import PrunedChannels as PrunedChannels
    from tf_rigl.surgery.shrink import ShrinkReport as ShrinkReport
    from tf_rigl.surgery.shrink import Shrunk as Shrunk
    from tf_rigl.tickets.error_barrier import ErrorBarrier as ErrorBarrier

_NAMES = _lazy.index(
    {
        "tf_rigl.accounting.match_width": ["WidthMatch"],
        "tf_rigl.accounting.model_profile": ["ModelProfile"],
        "tf_rigl.core.drop_and_grow": ["MaskUpdate"],
        "tf_rigl.diagnostics.diagnose": ["ModelDiagnostics"],
        "tf_rigl.diagnostics.mask_overlap": ["MaskOverlap", "WeightOverlap"],
        "tf_rigl.experiments.sweeps.sweep_result": ["SweepResult", "SweepRow"],
        "tf_rigl.export.litert.report": ["LiteRTReport"],
        "tf_rigl.export.litert.xnnpack_report": ["XNNPACKReport"],
        "tf_rigl.export.plan.report": [
            "LayerCheck",
            "PlanCheck",
            "PlanReport",
            "StepReport",
        ],
        "tf_rigl.export.saved_model.report": ["ExportReport"],
        "tf_rigl.factors.report": ["FactorReport", "KernelRank"],
        "tf_rigl.surgery.channel_groups": [
            "ChannelGroup",
            "ChannelGroups",
            "ChannelMember",
        ],
        "tf_rigl.surgery.prune_channels": ["ChannelReport", "PrunedChannels"],
        "tf_rigl.surgery.shrink": ["ShrinkReport", "Shrunk"],
        "tf_rigl.tickets.error_barrier": ["ErrorBarrier"],
    }
)

__all__ = list(_NAMES)

if not TYPE_CHECKING:
    __getattr__, __dir__ = _lazy.attach(__name__, _NAMES)
