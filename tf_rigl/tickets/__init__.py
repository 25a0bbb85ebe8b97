"""Lottery tickets: rounds of training, pruning and rewinding.

1. `search` is the iterator over levels: level 0 is dense, and each further one
   has the masks that pruning has left of the one before, and the values with
   which it is to `start`.
2. `level` is what a loop body trains: the callbacks that save, resume and
   record it.
3. `arguments` are checked at once, and `random_masks` are one of the controls.
4. `folder` holds the files of a search, each written whole, from which it goes
   on wherever it was killed, by their `run_names`; `table` shows its records.
5. `error_barrier` tells whether two trainings end in one basin of the loss; it
   computes the `moving_averages` of normalization anew on the way.
6. `early_bird` finds a structured ticket while the network is trained: it keeps
   the `mask_series` of its epochs, made of the layers' `scales`.

The pieces serve by themselves, too: `prune` by rates, `set_masks`, `Snapshot`
and `reinitialize`.
"""
