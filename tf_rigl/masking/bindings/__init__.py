"""The implementations of `backend.flavor` for Keras 3 and Keras 2.

No other module imports `keras` or `tf_keras`.
"""
