import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests.core.packing.support import entropy_bytes
from tests.export import support
from tf_rigl.accounting import micronet
from tf_rigl.export.saved_model.export import export_saved_model
from tf_rigl.models import resnet

pytestmark = pytest.mark.slow


# Bytes of the published models, google-research/rigl, README.md.
PUBLISHED = {0.8: 23.684e6, 0.9: 13.499e6}


@pytest.mark.parametrize("sparsity", [0.8, 0.9, 0.95, 0.98, 0.99])
def test_sizes_and_outputs(keras3, sparsity, tmp_path):
    model = resnet.resnet(keras3)
    tf_rigl.sparsify(model, sparsity)
    masks = tf_rigl.masks(model)
    masks = {path: one for path, one in masks.items() if not one.all()}
    nonzeros = sum(int(one.sum()) for one in masks.values())
    elements = sum(one.size for one in masks.values())
    dense = tf_rigl.profile(model).parameters - elements

    small = export_saved_model(model, tmp_path / "smallest")
    large = export_saved_model(model, tmp_path / "bit_mask", "bit_mask")
    bound = 4 * nonzeros + elements / 8 + 4 * dense
    # Graph and metadata take the same 0.085 MB at any sparsity.
    assert large.folder_bytes <= bound + 87_000
    assert large.folder_bytes <= 1.02 * bound
    if sparsity in PUBLISHED:
        counted = micronet(tf_rigl.profile(model)).bytes
        assert counted == pytest.approx(PUBLISHED[sparsity], rel=1e-4)
        assert small.folder_bytes <= 1.02 * PUBLISHED[sparsity]
    assert small.folder_bytes <= large.folder_bytes
    packed = sum(row.bytes for row in small.rows if row.path in masks)
    entropy = sum(entropy_bytes(one) for one in masks.values())
    assert packed <= 1.006 * (4 * nonzeros + entropy)

    images = np.random.default_rng(0).random((2, 224, 224, 3), np.float32)
    expected = support.infer(model, tf.constant(images))
    for name in ("smallest", "bit_mask"):
        loaded = tf.saved_model.load(str(tmp_path / name))
        support.assert_same(loaded.serve(images), expected)
