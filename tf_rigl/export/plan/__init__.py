"""Plans: whole networks in one file, which a small runtime runs sparse.

1. `walk` follows a model's graph of layers, and `rules` says what each layer
   becomes: `steps` of a network as data. Nothing is left of Keras then.
2. `simplify` makes fewer steps of it that compute the same: `gates` recognizes
   activations that are written out, `fold` puts scales and offsets into
   kernels, `fuse` paddings, activations and residual sums.
3. `export` packs the result, a `native.plan_graph.Graph`, and writes the file;
   `check` says what each layer became.
"""
