"""What a model costs: MACs, FLOPs, non-zeros, bytes."""

from tf_rigl.accounting.match_width import WidthMatch as WidthMatch
from tf_rigl.accounting.match_width import match_width as match_width
from tf_rigl.accounting.model_profile import ModelProfile as ModelProfile
from tf_rigl.accounting.model_profile import Uncounted as Uncounted
from tf_rigl.accounting.model_profile import WeightProfile as WeightProfile
from tf_rigl.accounting.profile import profile as profile
from tf_rigl.accounting.published import MicroNetCounts as MicroNetCounts
from tf_rigl.accounting.published import micronet as micronet
from tf_rigl.accounting.training_flops import training_flops as training_flops
