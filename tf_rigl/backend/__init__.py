"""What the rest of the library needs of Keras and TensorFlow.

`flavor` tells Keras 3 (`keras`) from Keras 2 (`tf_keras`) by the object that
is passed in and names all that differs between them; the two bindings behind
it are in `masking.bindings`. `call_signature` specifies the call of a model and
`model_call` traces it so that nothing of it remains. `distribution` says on
which replicas variables are, `platform_limits` what the host cannot do,
`conditionals` and `trace_cache` how a step is traced, and `atomic_files` how a
file is written whole.
"""
