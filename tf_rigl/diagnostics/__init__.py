"""Statistics of masks and their updates.

`masking.mask_history` records updates within the step; `diagnose` reads the
records into a `ModelDiagnostics`; `callback` writes them after each epoch.
`mask_overlap` compares the masks of two models or of two moments.
"""
