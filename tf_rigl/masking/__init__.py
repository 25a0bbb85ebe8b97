"""Masked weights: choosing them, keeping their masks and their zeros.

1. `tree` walks a model and names its weights; `layer_rules` has a row a layer
   class: which of its weights may be sparse and how structures see them.
2. `sparsify` allots connections into a `layer_config`, which draws masks.
3. `masked_layer` makes each layer carry its masks, in a `mask_store`, beside
   what methods remember, in a `state_store`; both are saved with the model
   (`store`) and travel with lists of weights (`masked_array`).
4. `storage` is the only place that sets values and masks; `constraint` keeps
   the zeros after every step of an optimizer, `value_guard` after whatever
   else writes the variable.
5. `masked_weight` gives the rest of the library one record for each weight,
   whose `set_mask` is the one door to a mask; `model_weights` lists all
   weights of a model, sparse or not.
"""
