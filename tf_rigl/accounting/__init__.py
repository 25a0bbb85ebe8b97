"""Costs of a model: MACs, FLOPs, non-zeros and bytes.

`profile` traces a model on one example while `call_recorder` records each call
of a layer. By the `mac_rules` of the layers' classes, `mac_counter` adds up how
often each weight is used; multiplied by its active connections, that gives the
rows of a `model_profile`. `published` (the convention of papers),
`training_flops` and `match_width` (for dense baselines) build on profiles.
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
