"""Sweeps: one experiment by several methods, at sparsities, over seeds.

`program` lists the runs that the flags ask for (`grid`); `training` starts
those that are missing as `processes` of their own and keeps what they gave
(`records`, with means over seeds); `tables` and `plots` show it, `costs`
counts without training.
"""
