import numpy as np
import pytest

from benchmarks import input_pipeline
from tests.benchmarks import support

pytest.importorskip("tensorflow_datasets")
from benchmarks import prepared_images


@pytest.mark.slow
def test_smoke(tmp_path):
    output, content = support.run(
        input_pipeline,
        "--dataset=imagenet2012",
        "--dataset=mnist_small",
        "--image_size=32",
        # Where nothing is: the images are random ones.
        "--data_dir=nowhere",
        cwd=tmp_path,
    )

    assert "16 JPEGs of random pixels" in output
    for name in ("imagenet2012", "mnist_small"):
        rates = content["results"][name]
        assert name in output
        assert set(rates) == {"pipeline", "step", "both"}
        assert all(len(each) == 1 and each[0] > 0 for each in rates.values())


def test_random_images_repeat_and_have_all_features():
    examples = list(prepared_images.imagenet_examples(5, 20, 30, distinct=3))
    assert [example["label"] for example in examples] == [0, 1, 2, 3, 4]
    assert len({example["file_name"] for example in examples}) == 5
    images = [example["image"] for example in examples]
    assert images[0].shape == (20, 30, 3)
    np.testing.assert_array_equal(images[0], images[3])
    assert (images[0] != images[1]).any()
