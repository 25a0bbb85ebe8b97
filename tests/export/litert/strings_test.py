import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests.support import one_keras
from tf_rigl.export.litert import run
from tf_rigl.export.litert.export import export_litert

WORDS = np.array([["red"], ["blue"], ["grün"], ["other"]])


def color_model(keras):
    layers = keras.layers
    word = keras.Input((1,), dtype="string", name="word")
    lookup = layers.StringLookup(vocabulary=["red", "blue", "grün"])
    hidden = layers.Flatten()(layers.Embedding(8, 16)(lookup(word)))
    outputs = layers.Dense(4)(layers.Dense(64, "relu")(hidden))
    same = layers.Lambda(tf.identity, output_shape=(1,))(word)
    model = keras.Model(word, {"scores": outputs, "same": same})
    return tf_rigl.sparsify(model, 0.9)


@one_keras("tf_keras")
@pytest.mark.parametrize(
    "words", [WORDS, WORDS.astype(object)], ids=["texts", "objects"]
)
def test_a_vocabulary_is_part_of_the_file(keras, words, tmp_path):
    model = color_model(keras)
    path = tmp_path / "model.tflite"
    report = export_litert(
        model, path, options=tf_rigl.LiteRTOptions(verification_data=words)
    )
    assert report.relative_error < 1e-5
    assert any(row.sparse for row in report.rows)

    encoded = np.char.encode(WORDS, "utf-8")
    found = run.run(path.read_bytes(), {"word": encoded})
    expected = model(tf.constant(encoded), training=False)
    np.testing.assert_allclose(found["scores"], expected["scores"], atol=1e-5)
    np.testing.assert_array_equal(found["same"], encoded)
    # Each word has scores of its own.
    assert len(np.unique(found["scores"], axis=0)) == len(WORDS)


def test_without_words_to_compare_on(keras3, tmp_path):
    model = color_model(keras3)
    report = export_litert(model, tmp_path / "model")
    assert report.relative_error < 1e-5
    # Making a table is none of the operators that XNNPACK looks at.
    rows = tf_rigl.check_xnnpack(tmp_path / "model").rows
    assert "HASHTABLE_FIND" in {row.operation for row in rows}


def test_strings_that_differ_are_seen():
    words = {"word": np.array([b"a", b"bc"], object)}
    assert run.compare(words, {"word": np.array([b"a", b"bc"])}).error == 0
    for other in ([b"a", b"b"], [b"a"]):
        assert run.compare(words, {"word": np.array(other)}).error == np.inf


def test_texts_need_operations_of_tensorflow(keras3, tmp_path):
    layers = keras3.layers
    words = layers.TextVectorization(9, output_mode="multi_hot")
    words.adapt(["a b"])
    model = keras3.Sequential(
        [keras3.Input((), dtype="string"), words, layers.Dense(32)]
    )
    with pytest.raises(ValueError, match=r"'StringSplitV2'.*select_tf_ops"):
        export_litert(model, tmp_path / "model")
    options = tf_rigl.LiteRTOptions(select_tf_ops=True)
    report = export_litert(model, tmp_path / "model", options=options)
    assert report.error is None
