"""Counts of models."""

import math


def trainable_parameters(model):
    """Counts weights but the moving averages of BatchNormalization."""
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


def kernels(profile):
    return [row for row in profile.rows if row.path.endswith("kernel")]
