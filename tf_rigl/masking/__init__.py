"""Masked weights: their selection, their masks and the invariant of zeros.

1. `tree` walks a model; `layer_rules` says which weights may be sparse.
2. `sparsify` allots connections; a `layer_config` per layer draws the masks.
3. `masked_layer` makes a layer own its masks (`mask_store`) and the state of
   methods (`state_store`), which are saved with it (`store`) and travel with
   lists of weights (`masked_array`).
4. `storage` is the only place that sets values and masks; `constraint` keeps
   the zeros after optimizer steps, `value_guard` after all other writes.
5. `masked_weight` is the record that the rest of the library uses; `set_mask`
   is the only way to change a mask. `model_weights` lists all weights.
"""
