"""Mask updates as part of the optimizer's update rule.

The way of a gradient from the optimizer to a new mask:

1. `callback` (in `fit`) or `attach` (in a loop) checks model and method and
   has `optimizer_hook` override `update_step` of the user's optimizer.
2. `update_rule` receives each variable with its gradient, which is dense,
   reduced over replicas, accumulated and unscaled; `pending_updates` holds
   them until all have come, so that one conditional serves for all.
3. On other steps the gradient is masked and the optimizer's own rule runs, by
   `momentum_kernel` where that gives the same bits.
4. On an update step `mask_update` asks `Algorithm.update` for new masks and
   sets mask, values and `slots`; `method_state` is what the method remembers.
"""
