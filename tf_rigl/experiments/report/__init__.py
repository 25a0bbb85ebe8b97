"""Self-contained HTML pages about a training run.

`reading` reads the files of the run and `dense` finds a dense run to show
beside it; `series` and `tables` extract numbers, `pictures` draws them, and
`page` collects them for `rendering`, which renders the Jinja2 templates, with
all values escaped. `base.html` is what all pages share, also that of a sweep.
"""
