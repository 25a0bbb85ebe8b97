import numpy as np
import pytest

from tf_rigl.experiments.benchmark import inputs
from tf_rigl.experiments.benchmark.inputs import InputSpec

IMAGE = InputSpec("image", (None, 8, 8, 3), "float32")
OPEN_IMAGE = InputSpec("image", (1, None, None, 3), "bfloat16")
WORDS = InputSpec("words", (None, None), "int64")
TEXT = InputSpec("text", (None, 1), "string")


def test_draws_by_shape_and_dtype():
    image, words, text = inputs.draw([OPEN_IMAGE, WORDS, TEXT], 4, 16, 0)
    assert image.shape == (4, 16, 16, 3)
    assert image.dtype == np.float32
    assert words.shape == (4, 16)
    assert words.dtype == np.int64
    assert set(words.ravel()) == {0, 1}
    assert set(text.ravel()) <= {b"0", b"1"}

    again = inputs.draw([OPEN_IMAGE], 4, 16, 0)
    np.testing.assert_array_equal(again[0], image)
    assert np.any(inputs.draw([OPEN_IMAGE], 4, 16, 1)[0] != image)


def test_a_scalar_has_no_batch():
    (drawn,) = inputs.draw([InputSpec("rate", (), "float32")], 4, 16, 0)
    assert drawn.shape == ()


@pytest.mark.parametrize(
    ("specs", "of", "expected"),
    [
        ([IMAGE], [OPEN_IMAGE], [0]),
        ([IMAGE], [WORDS], None),
        ([IMAGE, WORDS], [WORDS, IMAGE], [1, 0]),
        ([IMAGE], [IMAGE, WORDS], None),
        # Formats give inputs names of their own.
        ([IMAGE, WORDS], [IMAGE._replace(name="args_0"), WORDS], [0, 1]),
        ([IMAGE], [IMAGE._replace(shape=(None, 8, 9, 3))], None),
        ([IMAGE], [IMAGE._replace(dtype="int8")], None),
    ],
)
def test_same_inputs(specs, of, expected):
    assert inputs.positions(specs, of) == expected


def test_data_are_repeated_or_cut():
    data = {"words": np.arange(6).reshape(3, 2), "other": np.zeros(1)}
    (found,) = inputs.choose(data, [WORDS], 4)
    np.testing.assert_array_equal(found[:, 0], [0, 2, 4, 0])
    (found,) = inputs.choose(data, [WORDS], 2)
    np.testing.assert_array_equal(found[:, 0], [0, 2])


def test_data_without_the_names_of_a_model(tmp_path):
    np.save(tmp_path / "data.npy", np.zeros((2, 8, 8, 3)))
    data = inputs.read(tmp_path / "data.npy")
    (found,) = inputs.choose(data, [IMAGE], 1)
    assert found.shape == (1, 8, 8, 3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"a": np.zeros(1), "b": np.zeros(1)}, r"arrays \['image'\]"),
        ({"a": np.zeros((1, 8, 9, 3))}, r"Received: \(1, 8, 9, 3\)"),
        ({"a": np.zeros((0, 8, 8, 3))}, r"Received: \(0, 8, 8, 3\)"),
    ],
)
def test_data_of_another_model(data, message):
    with pytest.raises(ValueError, match=message):
        inputs.choose(data, [IMAGE], 1)


def test_what_is_no_data(tmp_path):
    (tmp_path / "data.npz").write_bytes(b"no arrays")
    for name in ("data.npz", "nothing.npy"):
        with pytest.raises(ValueError, match=r"must be a \.npy or \.npz file"):
            inputs.read(tmp_path / name)


def test_outputs_become_plain():
    import ml_dtypes

    made = inputs.plain(np.ones(2, ml_dtypes.bfloat16))
    assert made.dtype == np.float32
    assert inputs.plain(np.array([b"a", b"bc"], object)).dtype == "S2"
    assert inputs.plain(np.ones(2, np.int8)).dtype == np.int8
