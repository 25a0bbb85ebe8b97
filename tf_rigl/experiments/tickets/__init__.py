"""Ticket searches from the command line: a process for each seed.

`settings` are the flags. `program` lists the searches, starts each in a process
of its own by `searches`, and shows their `progress`. Such a process, `search`,
trains the levels and the controls. Its folder is that of a
`tf_rigl.TicketSearch`, from which `records` are read: `tables`, `plots` and the
`page` show them.
"""
