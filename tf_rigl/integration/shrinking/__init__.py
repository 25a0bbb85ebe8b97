"""Cutting units that reach nothing out of a model.

`analysis` follows channels through the layers of a functional or sequential
model; `rules` says what each class of layer does to them. `core.channel_graph`
finds the channels that are needed, and `rebuild` makes the smaller model.
"""
