"""Sweeps of an experiment over methods, sparsities and seeds.

`program` is the entry point. `grid` lists the runs that the flags ask for;
`training` starts the missing ones as separate `processes` and collects their
results as `records`, with means over seeds; `tables` and `plots` show them,
and `page` both on one page, together with what was asked for by `request`.
`costs` counts costs without training.
"""
