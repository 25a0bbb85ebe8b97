"""Masked weights: which they are, where their masks live, how they stay zero.

1. `tree` walks a model and names its weights; `eligibility` says which of them
   may be sparse and `kernel_layouts` how a structure sees them.
2. `sparsify` allots connections and draws `initial_masks`.
3. `masked_layer` makes each layer carry its masks, in a `mask_store`, beside
   what methods remember, in a `state_store`; both are saved with the model.
4. `constraint` keeps the zeros after every step of an optimizer.
5. `masked_weight` gives the rest of the library one record for each weight,
   and `model_weights` lists all weights of a model, sparse or not.
"""
