"""Layers whose kernels are products of thin factors.

1. `candidates` finds the kernels of a model, and `ranks` chooses how large
   their factors are; `layouts` says how a kernel is a matrix, form by form.
2. `factorized_layer` changes the class of a layer, so that it saves
   (`factor_config`), loads (`registration`, `stand_in`) and trains factors in
   the place of kernels (`kernel_factors`), and computes by them (`thin_calls`).
3. `attention` makes smaller pairs of the projections of heads, which need no
   class of ours. `decay_watch` tells of factors that are trained without the
   decay they have.
4. `report` lists what there is; `plain_layers` makes plain models of it.

`surgery.factorize` is the entry point.
"""
