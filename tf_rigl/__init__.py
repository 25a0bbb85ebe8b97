"""Sparse training for Keras and TensorFlow: RigL and its family.

```python
import tf_rigl

model = tf_rigl.sparsify(model, sparsity=0.9)
model.compile(optimizer, loss)
model.fit(data, callbacks=[tf_rigl.UpdateMasks(tf_rigl.RigL())])
tf_rigl.export_saved_model(model, "exported")
```

Names are imported when they are first used, so that `import tf_rigl` by
itself imports neither TensorFlow nor a Keras.

These names are stable, with the arguments and attributes that their docstrings
document: those in `tf_rigl.__all__`; those in the namespaces
`tf_rigl.accounting`, `algorithms`, `core.criteria`, `core.structures`,
`masking.layer_rules`, `native`, `results`, `tfmot` and `wann`; and the builders
in `models` and `data.registry`. Before a stable name is removed, it keeps
working for at least one minor version and warns what to use instead. All other
names may change at any time. Files are stable, too: later versions read the
files of earlier ones.
"""

from typing import TYPE_CHECKING

from tf_rigl import _deprecations
from tf_rigl import _lazy
from tf_rigl.algorithms import registry
from tf_rigl.factors import stand_in
from tf_rigl.masking.bindings import registration
from tf_rigl.version import __version__ as __version__

if TYPE_CHECKING:
    # For type checkers and editors: the names of `_NAMES`.
    from tf_rigl import results as results
    from tf_rigl import tfmot as tfmot
    from tf_rigl import wann as wann
    from tf_rigl.accounting.match_width import match_width as match_width
    from tf_rigl.accounting.profile import profile as profile
    from tf_rigl.algorithms import *  # noqa: F403
    from tf_rigl.algorithms.frobenius_decay import (
        FrobeniusDecay as FrobeniusDecay,
    )
    from tf_rigl.backend.native_ops import load_native_ops as load_native_ops
    from tf_rigl.checkpointing.checkpoints import Checkpoints as Checkpoints
    from tf_rigl.checkpointing.snapshot import Snapshot as Snapshot
    from tf_rigl.checkpointing.snapshot_at import SnapshotAt as SnapshotAt
    from tf_rigl.checkpointing.training_state import (
        training_variables as training_variables,
    )
    from tf_rigl.core.distribution_types import ER as ER
    from tf_rigl.core.distribution_types import ERK as ERK
    from tf_rigl.core.distribution_types import PerLayer as PerLayer
    from tf_rigl.core.distribution_types import Uniform as Uniform
    from tf_rigl.core.distributions import allocate as allocate
    from tf_rigl.core.drop_and_grow import drop_and_grow as drop_and_grow
    from tf_rigl.core.structures import Block as Block
    from tf_rigl.core.structures import Channel as Channel
    from tf_rigl.core.structures import ConstantFanIn as ConstantFanIn
    from tf_rigl.core.structures import NByM as NByM
    from tf_rigl.diagnostics.callback import MaskDiagnostics as MaskDiagnostics
    from tf_rigl.diagnostics.diagnose import diagnose as diagnose
    from tf_rigl.diagnostics.mask_distance import mask_distance as mask_distance
    from tf_rigl.diagnostics.mask_overlap import mask_overlap as mask_overlap
    from tf_rigl.experiments.barrier_picture import (
        plot_error_barriers as plot_error_barriers,
    )
    from tf_rigl.experiments.distance_picture import (
        plot_mask_distances as plot_mask_distances,
    )
    from tf_rigl.experiments.sweeps.in_process import sweep as sweep
    from tf_rigl.export.litert.export import export_litert as export_litert
    from tf_rigl.export.litert.options import LiteRTOptions as LiteRTOptions
    from tf_rigl.export.litert.quantize_aware import (
        quantize_aware as quantize_aware,
    )
    from tf_rigl.export.litert.xnnpack import check_xnnpack as check_xnnpack
    from tf_rigl.export.plan.check import check_plan as check_plan
    from tf_rigl.export.plan.export import export_plan as export_plan
    from tf_rigl.export.saved_model.export import (
        export_saved_model as export_saved_model,
    )
    from tf_rigl.export.saved_model.restore import (
        load_packed_weights as load_packed_weights,
    )
    from tf_rigl.factors.report import ranks as ranks
    from tf_rigl.masking.masked_weight import masks as masks
    from tf_rigl.masking.options import SparsifyOptions as SparsifyOptions
    from tf_rigl.masking.reinitialize import reinitialize as reinitialize
    from tf_rigl.masking.sparsify import sparsify as sparsify
    from tf_rigl.surgery.channel_groups import channel_groups as channel_groups
    from tf_rigl.surgery.channel_rules import channel_rule as channel_rule
    from tf_rigl.surgery.factorize import factorize as factorize
    from tf_rigl.surgery.prune_channels import prune_channels as prune_channels
    from tf_rigl.surgery.shrink import shrink as shrink
    from tf_rigl.tickets.early_bird import EarlyBird as EarlyBird
    from tf_rigl.tickets.error_barrier import error_barrier as error_barrier
    from tf_rigl.tickets.search import TicketSearch as TicketSearch
    from tf_rigl.updating.attach import attach as attach
    from tf_rigl.updating.attach import check_finite as check_finite
    from tf_rigl.updating.attach import detach as detach
    from tf_rigl.updating.callback import UpdateMasks as UpdateMasks
    from tf_rigl.updating.freeze_weights import FreezeWeights as FreezeWeights
    from tf_rigl.updating.low_precision import full_precision as full_precision
    from tf_rigl.updating.low_precision import low_precision as low_precision
    from tf_rigl.updating.prune import prune as prune
    from tf_rigl.updating.replica_check import ReplicaCheck as ReplicaCheck
    from tf_rigl.updating.replica_check import check_replicas as check_replicas
    from tf_rigl.updating.set_masks import set_masks as set_masks
    from tf_rigl.updating.store_masked import store_masked as store_masked
    from tf_rigl.updating.strip import strip as strip
    from tf_rigl.updating.supermasks import evaluate_samples as evaluate_samples
    from tf_rigl.updating.supermasks import sample_masks as sample_masks
    from tf_rigl.updating.supermasks import threshold_masks as threshold_masks

_NAMES = _lazy.index(
    {
        "tf_rigl.accounting.match_width": ["match_width"],
        "tf_rigl.accounting.profile": ["profile"],
        "tf_rigl.algorithms": registry.class_names(),
        "tf_rigl.algorithms.frobenius_decay": ["FrobeniusDecay"],
        "tf_rigl.backend.native_ops": ["load_native_ops"],
        "tf_rigl.checkpointing.checkpoints": ["Checkpoints"],
        "tf_rigl.checkpointing.snapshot": ["Snapshot"],
        "tf_rigl.checkpointing.snapshot_at": ["SnapshotAt"],
        "tf_rigl.checkpointing.training_state": ["training_variables"],
        "tf_rigl.core.distribution_types": ["ER", "ERK", "PerLayer", "Uniform"],
        "tf_rigl.core.distributions": ["allocate"],
        "tf_rigl.core.drop_and_grow": ["drop_and_grow"],
        "tf_rigl.core.structures": [
            "Block",
            "Channel",
            "ConstantFanIn",
            "NByM",
        ],
        "tf_rigl.diagnostics.callback": ["MaskDiagnostics"],
        "tf_rigl.diagnostics.diagnose": ["diagnose"],
        "tf_rigl.diagnostics.mask_distance": ["mask_distance"],
        "tf_rigl.diagnostics.mask_overlap": ["mask_overlap"],
        "tf_rigl.export.litert.export": ["export_litert"],
        "tf_rigl.export.litert.options": ["LiteRTOptions"],
        "tf_rigl.export.litert.quantize_aware": ["quantize_aware"],
        "tf_rigl.export.litert.xnnpack": ["check_xnnpack"],
        "tf_rigl.export.plan.check": ["check_plan"],
        "tf_rigl.export.plan.export": ["export_plan"],
        "tf_rigl.export.saved_model.export": ["export_saved_model"],
        "tf_rigl.export.saved_model.restore": ["load_packed_weights"],
        "tf_rigl.experiments.barrier_picture": ["plot_error_barriers"],
        "tf_rigl.experiments.distance_picture": ["plot_mask_distances"],
        "tf_rigl.experiments.sweeps.in_process": ["sweep"],
        "tf_rigl.factors.report": ["ranks"],
        "tf_rigl.masking.masked_weight": ["masks"],
        "tf_rigl.masking.options": ["SparsifyOptions"],
        "tf_rigl.masking.reinitialize": ["reinitialize"],
        "tf_rigl.masking.sparsify": ["sparsify"],
        "tf_rigl.surgery.channel_groups": ["channel_groups"],
        "tf_rigl.surgery.channel_rules": ["channel_rule"],
        "tf_rigl.surgery.factorize": ["factorize"],
        "tf_rigl.surgery.prune_channels": ["prune_channels"],
        "tf_rigl.surgery.shrink": ["shrink"],
        "tf_rigl.tickets.early_bird": ["EarlyBird"],
        "tf_rigl.tickets.error_barrier": ["error_barrier"],
        "tf_rigl.tickets.search": ["TicketSearch"],
        "tf_rigl.updating.attach": ["attach", "check_finite", "detach"],
        "tf_rigl.updating.callback": ["UpdateMasks"],
        "tf_rigl.updating.freeze_weights": ["FreezeWeights"],
        "tf_rigl.updating.low_precision": ["full_precision", "low_precision"],
        "tf_rigl.updating.prune": ["prune"],
        "tf_rigl.updating.replica_check": ["ReplicaCheck", "check_replicas"],
        "tf_rigl.updating.set_masks": ["set_masks"],
        "tf_rigl.updating.store_masked": ["store_masked"],
        "tf_rigl.updating.strip": ["strip"],
        "tf_rigl.updating.supermasks": [
            "evaluate_samples",
            "sample_masks",
            "threshold_masks",
        ],
    }
)
_NAMESPACES = (
    "accounting",
    "algorithms",
    "core",
    "data",
    "models",
    "native",
    "results",
    "tfmot",
    "wann",
)
_MOVED = {
    **{
        name: _deprecations.Moved("tf_rigl.results", name, since="0.2")
        for name in (
            "ExportReport",
            "LiteRTReport",
            "MaskUpdate",
            "ModelDiagnostics",
            "ModelProfile",
            "ShrinkReport",
            "Shrunk",
        )
    },
    **{
        old: _deprecations.Moved("tf_rigl.tfmot", new, since="0.2")
        for old, new in {
            "dense_by_policy": "dense_layers",
            "from_tfmot": "convert",
            "pruning_from_tfmot": "pruning",
            "sparsify_like_tfmot": "prepare",
        }.items()
    },
}

__all__ = sorted([*_NAMES, "results", "tfmot", "wann"])

if not TYPE_CHECKING:
    # Type checkers would take any name for known.
    __getattr__, __dir__ = _lazy.attach(__name__, _NAMES, _NAMESPACES, _MOVED)

registration.register_bindings()
stand_in.register_all()
