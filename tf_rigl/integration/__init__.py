"""Keras: masked layers, the optimizer's update rule, callbacks."""
