"""The engine behind the programs in `bin/`: runs, sweeps and reports.

`runs` trains one network, `sweeps` starts many runs as processes, `report`
draws one run. They share what lies here: settings as `fields`, `methods`,
`strategies`, the `terminal`, `figures`, and files of models (`model_files`,
`inspection`, `exporting`).
"""
