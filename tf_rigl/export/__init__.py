"""Exported artifacts, which load without this library.

Both kinds of export begin alike:

1. `masking.model_weights` walks the model and lists its weights and masks.
2. `endpoints` traces the model's inference and the user's signatures, and finds
   the variables and lookup tables that the traced functions capture.
3. `replicas` replaces variables of a distribution strategy by plain copies.
4. `saved_model` or `litert` writes the artifact. It appears under its path
   only once it is complete (`backend.atomic_files`).

`plan` follows the layers of the model itself instead of a traced graph.

`function_graph` copies the graph of a traced function into another function.
"""
