"""Checkpoints of the whole training state, from which a run resumes exactly.

`training_state` collects the variables of model, masks, method and optimizer;
`checkpoint_file` writes and verifies a file; `checkpoints` has the callback.
A `snapshot` holds values without masks, for rewinding; `snapshot_at` takes one
at a step, and `optimizer_state` is an optimizer's share of it.
"""
