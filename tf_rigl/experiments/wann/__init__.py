"""Weight agnostic networks from the command line.

`settings` are the flags. `program` searches, looks for the best shared weight
of the champion, tunes single weights if asked to, and writes files; `plots`
draws the front, the course of the search and the champion.
"""
