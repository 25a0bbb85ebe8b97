"""Checkpoints of all that training changes, so that a run resumes exactly.

`training_state` lists the variables of model, masks, method and optimizer,
`checkpoint_file` writes and checks one file, `checkpoints` is the callback.
"""
