"""Sparse training for Keras and TensorFlow: RigL and its family.

```python
import tf_rigl

model = tf_rigl.sparsify(model, sparsity=0.9)
model.compile(optimizer, loss)
model.fit(data, callbacks=[tf_rigl.UpdateMasks(tf_rigl.RigL())])
tf_rigl.export_saved_model(model, "exported")
```
"""

from tf_rigl.accounting.match_width import match_width as match_width
from tf_rigl.accounting.model_profile import ModelProfile as ModelProfile
from tf_rigl.accounting.profile import profile as profile
from tf_rigl.algorithms import ACDC as ACDC
from tf_rigl.algorithms import DNW as DNW
from tf_rigl.algorithms import SET as SET
from tf_rigl.algorithms import SNFS as SNFS
from tf_rigl.algorithms import SNIP as SNIP
from tf_rigl.algorithms import STE as STE
from tf_rigl.algorithms import GradualPruning as GradualPruning
from tf_rigl.algorithms import OneShot as OneShot
from tf_rigl.algorithms import RigL as RigL
from tf_rigl.algorithms import SRigL as SRigL
from tf_rigl.algorithms import Static as Static
from tf_rigl.algorithms import TopKAST as TopKAST
from tf_rigl.checkpointing.checkpoints import Checkpoints as Checkpoints
from tf_rigl.checkpointing.training_state import (
    training_variables as training_variables,
)
from tf_rigl.core.distribution_types import ER as ER
from tf_rigl.core.distribution_types import ERK as ERK
from tf_rigl.core.distribution_types import PerLayer as PerLayer
from tf_rigl.core.distribution_types import Uniform as Uniform
from tf_rigl.core.distributions import allocate as allocate
from tf_rigl.core.drop_and_grow import MaskUpdate as MaskUpdate
from tf_rigl.core.drop_and_grow import drop_and_grow as drop_and_grow
from tf_rigl.core.structures import Block as Block
from tf_rigl.core.structures import Channel as Channel
from tf_rigl.core.structures import ConstantFanIn as ConstantFanIn
from tf_rigl.core.structures import NByM as NByM
from tf_rigl.diagnostics.callback import MaskDiagnostics as MaskDiagnostics
from tf_rigl.diagnostics.diagnose import ModelDiagnostics as ModelDiagnostics
from tf_rigl.diagnostics.diagnose import diagnose as diagnose
from tf_rigl.export.litert.export import export_litert as export_litert
from tf_rigl.export.litert.options import LiteRTOptions as LiteRTOptions
from tf_rigl.export.litert.quantize_aware import (
    quantize_aware as quantize_aware,
)
from tf_rigl.export.litert.report import LiteRTReport as LiteRTReport
from tf_rigl.export.litert.xnnpack import check_xnnpack as check_xnnpack
from tf_rigl.export.saved_model.export import (
    export_saved_model as export_saved_model,
)
from tf_rigl.export.saved_model.report import ExportReport as ExportReport
from tf_rigl.export.saved_model.restore import (
    load_packed_weights as load_packed_weights,
)
from tf_rigl.masking.bindings.registration import (
    register_bindings as _register_bindings,
)
from tf_rigl.masking.masked_weight import masks as masks
from tf_rigl.masking.options import SparsifyOptions as SparsifyOptions
from tf_rigl.masking.sparsify import sparsify as sparsify
from tf_rigl.surgery.report import ShrinkReport as ShrinkReport
from tf_rigl.surgery.shrink import Shrunk as Shrunk
from tf_rigl.surgery.shrink import shrink as shrink
from tf_rigl.tfmot.convert import convert as from_tfmot
from tf_rigl.tfmot.policy import dense_layers as dense_by_policy
from tf_rigl.tfmot.prepare import prepare as sparsify_like_tfmot
from tf_rigl.tfmot.schedules import pruning as pruning_from_tfmot
from tf_rigl.updating.attach import attach as attach
from tf_rigl.updating.attach import check_finite as check_finite
from tf_rigl.updating.attach import detach as detach
from tf_rigl.updating.callback import UpdateMasks as UpdateMasks
from tf_rigl.updating.prune import prune as prune
from tf_rigl.updating.replica_check import ReplicaCheck as ReplicaCheck
from tf_rigl.updating.replica_check import check_replicas as check_replicas
from tf_rigl.updating.strip import strip as strip
from tf_rigl.version import __version__ as __version__

__all__ = [
    "ACDC",
    "Block",
    "Channel",
    "Checkpoints",
    "ConstantFanIn",
    "DNW",
    "ER",
    "ERK",
    "ExportReport",
    "GradualPruning",
    "LiteRTOptions",
    "LiteRTReport",
    "MaskDiagnostics",
    "MaskUpdate",
    "ModelDiagnostics",
    "ModelProfile",
    "NByM",
    "OneShot",
    "PerLayer",
    "ReplicaCheck",
    "RigL",
    "SET",
    "SNFS",
    "SNIP",
    "SRigL",
    "STE",
    "ShrinkReport",
    "Shrunk",
    "SparsifyOptions",
    "Static",
    "TopKAST",
    "Uniform",
    "UpdateMasks",
    "allocate",
    "attach",
    "check_finite",
    "check_replicas",
    "check_xnnpack",
    "dense_by_policy",
    "detach",
    "diagnose",
    "drop_and_grow",
    "export_litert",
    "export_saved_model",
    "from_tfmot",
    "load_packed_weights",
    "masks",
    "match_width",
    "profile",
    "prune",
    "pruning_from_tfmot",
    "quantize_aware",
    "shrink",
    "sparsify",
    "sparsify_like_tfmot",
    "strip",
    "training_variables",
]

_register_bindings()
