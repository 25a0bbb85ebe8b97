"""The implementations of `backend.flavor`, the only importers of a Keras."""
