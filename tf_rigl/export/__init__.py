"""Artifacts that load without this library.

Both kinds begin alike: `masking.model_weights` walks the model, and `endpoints`
traces its inference and the user's signatures and finds the variables and
tables that these capture. What is captured, as weights with their masks, goes
on to `saved_model` or `litert`; no file is seen before it is whole.
"""
