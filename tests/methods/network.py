"""A two-layer perceptron in NumPy: values, batches and gradients by hand."""

import numpy as np

INPUTS, HIDDEN, OUTPUTS = 12, 16, 8
SHAPES = {
    "hidden/kernel": (INPUTS, HIDDEN),
    "hidden/bias": (HIDDEN,),
    "outputs/kernel": (HIDDEN, OUTPUTS),
    "outputs/bias": (OUTPUTS,),
}
KERNELS = ("hidden/kernel", "outputs/kernel")
SIZES = {path: int(np.prod(SHAPES[path])) for path in KERNELS}


def make_values(seed=1):
    random = np.random.default_rng(seed)
    return {
        path: random.normal(scale=0.4, size=shape)
        for path, shape in SHAPES.items()
    }


def make_batches(count, batch_size=16, seed=3):
    """Random inputs and labels; the oracle and the library get the same."""
    random = np.random.default_rng(seed)
    return [
        (
            random.normal(size=(batch_size, INPUTS)),
            random.integers(0, OUTPUTS, batch_size),
        )
        for _ in range(count)
    ]


def gradients(values, inputs, labels):
    """Of the mean cross-entropy with respect to every element.

    Masked elements are zeros in `values`, so their gradient is the dense one.
    """
    hidden = inputs @ values["hidden/kernel"] + values["hidden/bias"]
    active = np.maximum(hidden, 0)
    logits = active @ values["outputs/kernel"] + values["outputs/bias"]
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    error = exponentials / exponentials.sum(axis=1, keepdims=True)
    error[np.arange(len(labels)), labels] -= 1
    error /= len(labels)
    hidden_error = (error @ values["outputs/kernel"].T) * (hidden > 0)
    return {
        "hidden/kernel": inputs.T @ hidden_error,
        "hidden/bias": hidden_error.sum(axis=0),
        "outputs/kernel": active.T @ error,
        "outputs/bias": error.sum(axis=0),
    }
