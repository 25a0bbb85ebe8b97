"""Pure functions of tensors and integers on which all methods are built.

Nothing in this package depends on Keras.
"""
