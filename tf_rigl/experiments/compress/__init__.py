"""Compressions from the command line: was it the weights?

`settings` are the flags. `program` lists the compressions, one for each seed
and learning rate, and starts each in a process of its own by `compressions`.
Such a process, `compression`, trains a large network, removes channels and
trains what is left in several ways, each of which is a run in a folder of its
own; `trainings` names them and `progress` follows them. From these folders
`records` are read: `tables`, `plots` and the `page` show them.
"""
