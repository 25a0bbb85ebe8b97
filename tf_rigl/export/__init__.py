"""Artifacts that load without this library.

Both kinds begin alike: `masking.model_weights` walks the model, `endpoints`
traces its inference and the user's signatures and finds the variables and
tables that these capture, and `replicas` copies those of a strategy. What is
captured, as weights with their masks, goes on to `saved_model` or `litert`; no
file is seen before it is whole. `function_graph` puts a traced graph into
another.
"""
