"""A self-contained HTML page about a training run.

`reading` reads the files of the run, `series` and `tables` extract numbers,
`pictures` draws them, and `page` renders the Jinja2 template `page.html`, with
all values escaped.
"""
