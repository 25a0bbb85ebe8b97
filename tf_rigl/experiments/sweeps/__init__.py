"""Sweeps: one experiment by several methods, at sparsities, over seeds.

`program` reads the flags (`flags`) and lists the runs (`grid`); `training`
starts those that are missing as `processes` of their own and keeps what they
gave (`records`); `summary` takes means over seeds, `tables`
and `plots` show them, `costs` counts without training.
"""
