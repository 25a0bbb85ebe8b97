"""Programs whose processes each train several networks, one after another.

Ticket searches and compressions are such sets, with a process for each seed
and learning rate of a `grid`. `set_flags` defines their flags and writes their
command lines, `process_set` runs the processes, `request` keeps what was asked
for, and `tables` and `pages` show the results.
"""
