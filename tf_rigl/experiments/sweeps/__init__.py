"""Sweeps of an experiment over methods, sparsities and seeds.

`program` is the entry point. `grid` lists the runs that the flags ask for;
`training` starts the missing ones as separate `processes` and collects their
results as `records`, with means over seeds; `tables` and `plots` show them.
`costs` counts costs without training.
"""
