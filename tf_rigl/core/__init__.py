"""Pure functions of tensors and integers, which do not depend on Keras."""
