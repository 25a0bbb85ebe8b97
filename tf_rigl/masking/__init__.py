"""Masked weights: their selection, their masks and the invariant of zeros.

1. `tree` walks a model and names its weights; `layer_rules` has one row per
   layer class with the weights that may be sparse and the axes that structures
   see.
2. `sparsify` allots connections to weights and makes a `layer_config` per
   layer, from which the initial masks are drawn.
3. `masked_layer` makes a layer own its masks in a `mask_store`, and the state
   of methods in a `state_store`. Both are saved with the model (`store`) and
   travel with lists of weights (`masked_array`).
4. `storage` is the only place that sets values and masks. `constraint` keeps
   masked values at zero after each optimizer step, `value_guard` after any
   other write to the variable.
5. `masked_weight` gives the rest of the library one record per weight, whose
   `set_mask` is the only way to change a mask; `model_weights` lists all
   weights of a model, sparse or dense.
"""
