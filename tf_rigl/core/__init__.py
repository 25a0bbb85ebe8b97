"""Pure functions of tensors and integers, which do not depend on Keras.

* `distributions` allocates connections to weights, by `apportion`.
* `selection` keeps the largest scores, by an `order_statistic`; `random_masks`
  and `drop_and_grow` build on it, and `criteria` computes scores.
* `structures` are the sets of masks that a weight may have, in the view of a
  `kernel_layout`.
* `schedules` says at which steps masks change, and how many connections move.
* `packing` stores masks and values as bytes.
* `channel_graph` finds the channels that a network needs; `channel_scores` and
  `channel_selection` choose which of those go that it could do without.
"""
