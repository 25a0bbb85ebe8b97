"""Mask updates as part of the optimizer's update rule.

`callback` (in `fit`) and `attach` (in custom loops) call `optimizer_hook`,
which overrides the optimizer's `update_step`, and `rule_weights`, which
prepares the weights; `train_functions` caches the compiled step. A gradient
then becomes a mask:

1. `UpdateRule.update_step` receives each variable and its dense gradient,
   already reduced over replicas, accumulated and unscaled. `PendingUpdates`
   collects those of one replica; `NonFiniteGuard` may skip the batch.
2. `UpdateRule._step_replica` steps the variables with masked gradients (by
   `momentum_kernel` if it gives the same bits) or steps their latent values,
   of whose moving `averages` some must not drift.
3. If a mask update is due, `_update_masks` traces it, once.
4. `mask_update.update_masks` gets new masks from `Algorithm.update` and
   assigns the masks, values, `method_state` and `slots`.

`freeze_weights` trains parts of weights the same way, without a mask.
`low_precision` rounds what layers read and what optimizers write, by the
`quantizer`, with masks or without.
"""
