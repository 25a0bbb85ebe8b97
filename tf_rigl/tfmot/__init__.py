"""Migration from TFMOT, the TensorFlow Model Optimization Toolkit.

`convert` turns a model that TFMOT prunes into a sparse one. `prepare` masks a
model as TFMOT would, `pruning` makes the method that follows TFMOT's schedule,
and `dense_layers` asks a TFMOT policy which layers stay dense.

TFMOT is never imported, because importing it sets an environment variable that
selects a Keras. Its objects are recognized by their class names and
configurations, so saved models load where TFMOT is not installed.
"""

# Imported here and not lazily, since the submodules `convert` and `prepare`
# would replace the functions of the same names.
from tf_rigl.algorithms.tfmot_pruning import TFMOTPruning as TFMOTPruning
from tf_rigl.tfmot.convert import convert as convert
from tf_rigl.tfmot.policy import dense_layers as dense_layers
from tf_rigl.tfmot.prepare import prepare as prepare
from tf_rigl.tfmot.schedules import pruning as pruning

__all__ = ["TFMOTPruning", "convert", "dense_layers", "prepare", "pruning"]
