"""From TFMOT, the TensorFlow Model Optimization Toolkit, to this library.

Nothing here imports TFMOT: its objects are known by their classes' names and
their configurations. So no environment variable changes, and what is saved
loads where TFMOT is not installed.
"""
