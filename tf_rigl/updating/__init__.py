"""Mask updates as part of the optimizer's update rule.

The way of a gradient from `update_step` to a new mask; `callback` (in `fit`)
or `attach` (in a loop) has had `optimizer_hook` override that method, and
`rule_weights` prepare the weights; `train_functions` keeps what `fit` traces:

1. `UpdateRule.update_step` gets each variable with its gradient: dense,
   reduced over replicas, accumulated and unscaled. `PendingUpdates` holds
   them until a replica is complete, `NonFiniteGuard` may skip the batch.
2. `UpdateRule._step_replica` takes the steps, with masked gradients (by
   `momentum_kernel` if that gives the same bits) or of latent values.
3. In a batch that is due `_update_masks` traces, once, what follows.
4. `mask_update.update_masks` asks `Algorithm.update` for new masks, then sets
   mask, values, `method_state` and `slots`.
"""
