"""LiteRT files whose masked weights are stored sparse.

1. `convert` traces the model; TensorFlow's converter makes a dense file of it.
2. `rewrite` stores each weight in the format of `sparse` where that is smaller.
   `format` reads and changes files as objects; `pointwise` replaces fully
   connected operators that LiteRT would refuse.
3. `run` compares the outputs of the file with those of the model.
4. `export` writes the file and `report` lists what it holds; `slow_weights`
   warns if it is slower than with dense weights.

`quantize_aware` prepares a model to be trained for int8. `xnnpack` checks a
model or a file against `xnnpack_rules`, the conditions for faster inference;
`layer_scopes` finds the layers of operators.
"""
