"""One engine that trains every network of the experiments.

`program` reads the flags (`flags`, one for each field of `settings`); `setup`
finds data and devices, counts the steps (`plan`) and builds the network
(`networks`, `optimization`, `tasks`); `train` goes on from wherever the folder
of the run (`run_folder`) says it is, `callbacks` write and show how; `results`
say what came out, `evaluation` reads it again.
"""
