"""LiteRT files whose masked weights are stored sparse.

`convert` traces a model and has TensorFlow's converter write it dense;
`rewrite` makes each weight `sparse` where that is smaller, by the objects of
`format`; `run` names inputs, to calibrate with, and compares outputs with the
model's before `export` writes the file and `report` tells what it holds.
`quantize_aware` trains for int8 before. `xnnpack` checks a model or a file
against `xnnpack_rules`.
"""
