import numpy as np
import pytest

pytest.importorskip("tensorflow_datasets")
from benchmarks import prepared_images


def test_random_images_repeat_and_have_all_features():
    examples = list(prepared_images.imagenet_examples(5, 20, 30, distinct=3))
    assert [example["label"] for example in examples] == [0, 1, 2, 3, 4]
    assert len({example["file_name"] for example in examples}) == 5
    images = [example["image"] for example in examples]
    assert images[0].shape == (20, 30, 3)
    np.testing.assert_array_equal(images[0], images[3])
    assert (images[0] != images[1]).any()
