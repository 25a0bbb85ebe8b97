"""SavedModels of packed weights, which TensorFlow loads without this library.

1. `export` lists the weights that the traced functions capture.
2. `pack` chooses an encoding for each and makes a `packed_weight` of it.
3. `groups` assigns weights to a few shared variables, in an order in which
   many are decoded at once; `packed_file` writes their bytes and metadata.
4. `decoder`, with `run_decoder`, adds the resource that decodes the weights
   into these variables when the artifact is loaded.
5. `artifact` copies the traced functions, makes them read these variables and
   saves them; `slim` then removes what is redundant in the file.

`restore` reads the packed weights back into a Keras model.
"""
