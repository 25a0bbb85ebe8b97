"""Weight agnostic networks: topologies that work with any shared weight.

1. A `genome` is a list of nodes and connections, ordered by `graphs`; each
   `mutation` changes one thing of it.
2. `networks` evaluates many genomes at once, with all shared weights.
3. `ranking` orders a generation by its scores and its connections.
"""
