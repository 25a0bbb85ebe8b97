"""Sparse training for Keras and TensorFlow: RigL and its family.

```python
import tf_rigl

model = tf_rigl.sparsify(model, sparsity=0.9)
model.compile(optimizer, loss)
model.fit(data, callbacks=[tf_rigl.UpdateMasks(tf_rigl.RigL())])
tf_rigl.strip(model).save("sparse.keras")
```
"""

from tf_rigl.accounting.model_profile import ModelProfile as ModelProfile
from tf_rigl.accounting.profile import profile as profile
from tf_rigl.algorithms.rigl import RigL as RigL
from tf_rigl.algorithms.static import Static as Static
from tf_rigl.core.distributions import allocate as allocate
from tf_rigl.core.drop_and_grow import MaskUpdate as MaskUpdate
from tf_rigl.core.drop_and_grow import drop_and_grow as drop_and_grow
from tf_rigl.integration.attach import attach as attach
from tf_rigl.integration.attach import detach as detach
from tf_rigl.integration.callbacks import UpdateMasks as UpdateMasks
from tf_rigl.integration.masked_weight import masks as masks
from tf_rigl.integration.registration import (
    register_bindings as _register_bindings,
)
from tf_rigl.integration.sparsify import sparsify as sparsify
from tf_rigl.integration.strip import strip as strip
from tf_rigl.version import __version__ as __version__

__all__ = [
    "MaskUpdate",
    "ModelProfile",
    "RigL",
    "Static",
    "UpdateMasks",
    "allocate",
    "attach",
    "detach",
    "drop_and_grow",
    "masks",
    "profile",
    "sparsify",
    "strip",
]

_register_bindings()
