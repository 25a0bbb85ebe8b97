"""The engine that trains any network of the experiments.

`program` is the entry point and reads the `flags`, one for each field of
`settings`. `setup` finds data and devices, counts the steps (`plan`) and builds
the network (`networks`, `optimization`, `tasks`). `train` resumes from the
state in the `run_folder`, with `callbacks` for metrics and progress. `results`
collects the outcome, and `evaluation` measures saved models.
"""
