import os
import types

import pytest


@pytest.fixture(scope="module")
def tfmot():
    """TFMOT, whose import sets a variable for the whole process."""
    before = os.environ.get("TF_USE_LEGACY_KERAS")
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    import tensorflow_model_optimization
    import tf_keras

    if before is None:
        del os.environ["TF_USE_LEGACY_KERAS"]
    sparsity = tensorflow_model_optimization.sparsity.keras
    return types.SimpleNamespace(
        prune=sparsity.prune_low_magnitude,
        polynomial=sparsity.PolynomialDecay,
        constant=sparsity.ConstantSparsity,
        step=sparsity.UpdatePruningStep,
        strip=sparsity.strip_pruning,
        policy=sparsity.PruneForLatencyOnXNNPack,
        protocol=sparsity.PrunableLayer,
        keras=tf_keras,
    )


@pytest.fixture
def keras2(tfmot):
    tfmot.keras.backend.clear_session()
    tfmot.keras.utils.set_random_seed(1)
    return tfmot.keras
