"""Removal of dead units and channels, which makes a model smaller.

`shrink` is the entry point. `analysis` follows channels through the layers of
a functional or sequential model, by `channel_rules` for each class of layer,
and collects a `channel_plan`. `core.channel_graph` finds the channels that are
needed, and `rebuild` makes the smaller model: by its configuration, whose graph
`functional_config` edits where a selection is put in front of a layer or a
constant branch (`branches`) goes, and with values that `large_weights` cuts in
parts. `optimizer_state` cuts the slots of a compiled model alike.

`prune_channels` removes channels that are not dead, and so does not ask the
graph which are needed: `channel_groups` are those that go together,
`channel_criteria` scores them, `channel_targets` selects and `channel_removal`
makes the model that is left.
"""
