"""Costs of a model: MACs, FLOPs, non-zeros and bytes.

1. `profile` traces a model on one example, while `call_recorder` records each
   call of a layer.
2. `mac_counter` counts how often each weight is used, by the `mac_rules` of the
   layers' classes.
3. The counts, multiplied by the active connections of each weight, are the rows
   of a `model_profile`.

`published` (costs by the convention of papers), `training_flops`,
`search_flops` (of a search for tickets), `early_bird_flops` (of one that ends
early), `match_width` (for dense baselines) and `scratch_epochs` are computed
from profiles.
"""

from tf_rigl.accounting.early_bird_flops import EarlyBirdFlops as EarlyBirdFlops
from tf_rigl.accounting.early_bird_flops import WayFlops as WayFlops
from tf_rigl.accounting.early_bird_flops import (
    early_bird_flops as early_bird_flops,
)
from tf_rigl.accounting.match_width import WidthMatch as WidthMatch
from tf_rigl.accounting.match_width import match_width as match_width
from tf_rigl.accounting.model_profile import ModelProfile as ModelProfile
from tf_rigl.accounting.model_profile import Uncounted as Uncounted
from tf_rigl.accounting.model_profile import WeightProfile as WeightProfile
from tf_rigl.accounting.profile import profile as profile
from tf_rigl.accounting.published import MicroNetCounts as MicroNetCounts
from tf_rigl.accounting.published import micronet as micronet
from tf_rigl.accounting.scratch_epochs import scratch_epochs as scratch_epochs
from tf_rigl.accounting.search_flops import LevelFlops as LevelFlops
from tf_rigl.accounting.search_flops import SearchFlops as SearchFlops
from tf_rigl.accounting.search_flops import search_flops as search_flops
from tf_rigl.accounting.training_flops import training_flops as training_flops
