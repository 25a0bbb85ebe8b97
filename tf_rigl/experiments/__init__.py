"""The engine behind the programs in `bin/`: runs, sweeps, searches, reports.

`runs` trains one network, `sweeps` starts many runs as processes, `tickets`
many searches for lottery tickets, `compress` many networks that lose channels,
and `report` makes a page of a run. `process_sets` holds what `tickets` and
`compress` have in common. All share the modules here: settings as `fields`,
`methods`, `strategies`, the `terminal`, `figures`, and files of models
(`model_files`, `inspection`, `exporting`).
"""
