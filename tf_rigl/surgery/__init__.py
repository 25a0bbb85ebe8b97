"""Cutting units that reach nothing out of a model.

`analysis` follows channels through the layers of a functional or sequential
model into a `channel_plan`; `channel_rules` says what each class of layer does
to them. `core.channel_graph` finds the channels that are needed, and `rebuild`
makes the smaller model. `shrink` is the whole of it.
"""
