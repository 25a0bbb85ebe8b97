"""Checkpoints of the whole training state, from which a run resumes exactly.

`training_state` collects the variables of model, masks, method and optimizer;
`checkpoint_file` writes and verifies a file; `checkpoints` has the callback.
"""
