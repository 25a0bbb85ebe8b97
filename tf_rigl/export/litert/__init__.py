"""LiteRT files whose masked weights are stored sparse.

1. `quantize_aware` (optional) prepares a model to be trained for int8.
2. `convert` traces the model; TensorFlow's converter makes a dense file of it.
   To quantize activations, it runs on example inputs, which `run` names.
3. `rewrite` stores each weight in the format of `sparse` where that is smaller.
   `format` reads and changes files as objects; `pointwise` replaces fully
   connected operators that LiteRT would refuse.
4. `run` compares the outputs of the file with those of the model.
5. `export` writes the file and `report` lists what it holds.

`xnnpack` checks a model or a file against `xnnpack_rules`, the conditions for
faster sparse inference.
"""
