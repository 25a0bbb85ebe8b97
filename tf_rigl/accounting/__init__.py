"""Costs of a model: MACs, FLOPs, non-zeros, bytes.

`profile` walks a model, builds it if need be and calls it symbolically on one
example, while `call_recorder` notes each call of a layer. `mac_counter` adds
these up by the `mac_rules` of the layers' classes; times the active connections
that gives the rows of a `model_profile`. From a profile follow `published` (the
counts of other papers), `training_flops` and, for dense baselines,
`match_width`.
"""

from tf_rigl.accounting.match_width import WidthMatch as WidthMatch
from tf_rigl.accounting.match_width import match_width as match_width
from tf_rigl.accounting.model_profile import ModelProfile as ModelProfile
from tf_rigl.accounting.model_profile import Uncounted as Uncounted
from tf_rigl.accounting.model_profile import WeightProfile as WeightProfile
from tf_rigl.accounting.profile import profile as profile
from tf_rigl.accounting.published import MicroNetCounts as MicroNetCounts
from tf_rigl.accounting.published import micronet as micronet
from tf_rigl.accounting.training_flops import training_flops as training_flops
