"""One self-contained HTML page of a training run.

`reading` reads what the run has left, `series` and `tables` make numbers of
it, `pictures` draws them, and `page` fills `page.html`, a template of Jinja2
that escapes all it is given.
"""
