"""The interface of the library to Keras and TensorFlow.

`flavor` tells Keras 3 (`keras`) from Keras 2 (`tf_keras`) by the object that is
passed in and abstracts all differences between them; its two implementations
are in `masking.bindings`. `call_signature` describes the inputs of a model, and
`model_call` traces a call without side effects. `distribution` finds the
replicas of variables, `platform_limits` rejects unsupported platforms early,
`conditionals` and `trace_cache` help to trace a step, `new_optimizers` makes
optimizers of the settings of others, `atomic_files` writes files atomically,
and `native_ops` has the sparse kernels of `tf_rigl.native` as operations, which
`sparse_ops`, `sparse_convolution` and `sparse_recurrence` use where they can.
`recurrent_steps` are those of Keras's cells, by any product.
"""
