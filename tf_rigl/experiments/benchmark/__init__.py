"""Latency and memory of model files of any format, side by side.

1. `settings` holds the flags, and `model_paths` tells the format of a file.
2. `measurement` starts a process for each file and measures them in turn, each
   round in another order, on the arrays that `inputs` makes.
3. In such a process, `worker` answers the questions of `child` by a model that
   `opened_models` has opened: LiteRT and plans without TensorFlow, so that the
   memory is what a program of the user's would need.
4. `records` keeps what was found and writes JSON and CSV; `tables` and `plots`
   show it. `program` is all of it.
"""
