"""Sweeps of an experiment over methods, sparsities and seeds.

`program` is the entry point. `grid` lists the runs that the flags ask for;
`training` starts the missing ones as separate `processes` and collects their
results as `records`, with means over seeds; `tables` and `plots` show them in
`result_files`, and `page` both on one page, together with what was asked for by
`request`. `costs` counts costs without training.

`in_process` is `tf_rigl.sweep`, for a user's own model and data: `own_sweep`
trains the missing `own_runs` of `own_models` on `own_data` one after the other
in this process, and returns a `sweep_result` of the same records.
"""
