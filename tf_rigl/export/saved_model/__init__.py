"""SavedModels of packed weights, which TensorFlow loads without this library.

`export` lists the weights that the traced functions capture, `pack` chooses an
encoding for each, `groups` puts them together into few variables and
`packed_file` writes the bytes and metadata of each `packed_weight`. `decoder`,
with `run_decoder`, is the resource that unpacks them into variables when the
artifact is loaded. `artifact` builds its functions around it, out of
`function_graph`s that read those variables, and saves them; `slim` strips the
file. `restore` takes the way back, from the packed file into a Keras model.
"""
