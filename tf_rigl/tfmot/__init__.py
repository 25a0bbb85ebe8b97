"""From TFMOT, the TensorFlow Model Optimization Toolkit, to this library.

`convert` takes over a model that TFMOT prunes; `prepare` makes one sparse as
TFMOT would, `pruning` the method that prunes it by TFMOT's schedule, and
`dense_layers` asks TFMOT's policies what stays dense.

Nothing here imports TFMOT: its objects are known by their classes' names and
their configurations. So no environment variable changes, and what is saved
loads where TFMOT is not installed.
"""

# Not when first used: the module of the same name would take its place.
from tf_rigl.algorithms.tfmot_pruning import TFMOTPruning as TFMOTPruning
from tf_rigl.tfmot.convert import convert as convert
from tf_rigl.tfmot.policy import dense_layers as dense_layers
from tf_rigl.tfmot.prepare import prepare as prepare
from tf_rigl.tfmot.schedules import pruning as pruning

__all__ = ["TFMOTPruning", "convert", "dense_layers", "prepare", "pruning"]
