"""The values that settings of a run may have, by name."""

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
DISTRIBUTIONS = ("uniform", "er", "erk")
# As `tf_rigl.masking.storage_choice` has them, which imports TensorFlow.
STORAGES = ("masked", "compressed", "auto")
OPTIMIZERS = ("sgd", "adam")
# Initial values that are equal bit for bit on every machine.
REPRODUCIBLE = ("signed_kaiming", "kaiming_normal")
SCHEDULES = ("cosine", "step", "constant", "linear")
STRATEGIES = (
    "one_device",
    "mirrored",
    "multi_worker",
    "parameter_server",
    "tpu",
)

# Settings of where a run reads and computes, which may change when it resumes.
MAY_DIFFER = (
    "data_dir",
    "download",
    "steps_per_execution",
    "evaluation_steps",
    "strategy",
    "devices",
    "tpu",
)
