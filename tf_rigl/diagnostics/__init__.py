"""What masks and their updates were like, for people and for TensorBoard.

`masking.mask_history` records in the step; `diagnose` reads the records into
a `ModelDiagnostics`, whose text is a table; `callback` writes it every epoch.
"""
