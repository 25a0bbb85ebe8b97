import numpy as np
import pytest

from tests.data import support
from tf_rigl.data import text
from tf_rigl.data.batching import Batching

LETTERS = "".join(chr(code) for code in range(0x4E00, 0x4E00 + 500))


def write(folder, layout="{}.txt", train=LETTERS, valid="abc" * 30, test="b"):
    folder.mkdir(exist_ok=True)
    for part, content in (("train", train), ("valid", valid), ("test", test)):
        file = folder / layout.format(part)
        file.write_bytes(content.encode("utf-8"))
    return str(folder)


def make(folder, batch_size=4, time=20, contiguous=False, **batching):
    return text.splits(
        Batching(batch_size, **batching),
        str(folder),
        time=time,
        vocabulary_size=1000,
        contiguous=contiguous,
    )


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "letters")


def test_vocabulary_is_sorted_and_most_frequent(tmp_path):
    file = tmp_path / "text"
    file.write_bytes("zzz\r\n\r\ncccéébbaa".encode())
    assert text.make_vocabulary(file) == "\n\rabczé"
    # Of those that occur twice, `\n` comes first.
    assert text.make_vocabulary(file, vocabulary_size=4) == "\ncz"


def test_encoding_changes_nothing_but_the_unknown(tmp_path):
    file = tmp_path / "text"
    file.write_bytes("a\r\nb 語 c".encode())
    numbers = text.encode_file(file, "\n\r abc")
    assert numbers.dtype == np.uint8
    assert numbers.tolist() == [4, 2, 1, 5, 3, text.UNKNOWN, 3, 6]
    assert text.decode(numbers, "\n\r abc") == "a\r\nb \ufffd c"


def test_large_vocabularies_take_two_bytes(folder):
    corpus = text.load(folder, vocabulary_size=1000)
    assert corpus.train.dtype == np.uint16
    assert text.decode(corpus.train, corpus.vocabulary) == LETTERS
    assert set(corpus.evaluation.tolist()) == {text.UNKNOWN}


def test_characters_across_the_parts_in_which_files_are_read(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(text, "_CHUNK", 7)
    corpus = text.load(write(tmp_path / "letters"), vocabulary_size=1000)
    assert text.decode(corpus.train, corpus.vocabulary) == LETTERS


def test_targets_are_the_next_characters(folder):
    splits = make(folder)
    assert splits.info == (24, 4, 501, (20,))
    assert splits.vocabulary == LETTERS
    assert splits.train.element_spec[0].shape == [4, 20]
    for dataset in (splits.train, splits.evaluation):
        inputs, targets = support.joined(dataset)
        assert inputs.dtype == targets.dtype == np.int32
        assert (inputs[:, 1:] == targets[:, :-1]).all()
    inputs, targets = support.joined(splits.train)
    # Of these letters, each is followed by the next.
    assert (targets == inputs + 1).all()


def test_windows_are_shuffled_and_begin_elsewhere_in_each_epoch(folder):
    dataset = make(folder).train
    epochs = [support.joined(dataset)[0] for _ in range(4)]
    for inputs in epochs:
        # They don't overlap: 24 of 20 characters.
        assert len(np.unique(inputs)) == 24 * 20
        assert inputs[:, 0].tolist() != sorted(inputs[:, 0])
    assert len({int(inputs.min()) for inputs in epochs}) > 1


def test_seeds_and_epochs(folder):
    first, second = make(folder, seed=5).train, make(folder, seed=5).train
    assert support.same(first, second)
    assert not support.same(first, first)
    resumed = make(folder, seed=5, first_epoch=3).train
    assert support.same(first, resumed)


def test_evaluation_is_one_pass_from_the_beginning(tmp_path):
    folder = write(tmp_path / "text", train="abcd" * 100, valid="abcd" * 23)
    inputs, targets = support.joined(make(folder, batch_size=3).evaluation)
    # 91 of 92 characters have a next one: four windows.
    whole = np.tile([1, 2, 3, 4], 23)
    np.testing.assert_array_equal(inputs.ravel(), whole[:80])
    np.testing.assert_array_equal(targets.ravel(), whole[1:81])


def test_contiguous_rows_go_on(folder):
    splits = make(folder, contiguous=True)
    assert splits.info.train_examples == 24
    batches = support.arrays(splits.train)
    assert len(batches) == 6
    for row in range(4):
        inputs = np.concatenate([x[row] for x, _ in batches])
        targets = np.concatenate([y[row] for _, y in batches])
        # The text is 1, 2, ..., 500, of which a row has 499 // 4 = 124.
        expected = 1 + 124 * row + np.arange(120)
        np.testing.assert_array_equal(inputs, expected)
        np.testing.assert_array_equal(targets, expected + 1)


def test_contiguous_rows_stay_with_their_worker(folder):
    rows = {}
    for context in support.contexts(2, replicas=4):
        splits = make(folder, contiguous=True, context=context)
        batches = support.arrays(splits.train)
        assert len(batches) == 12
        for number, (inputs, _) in enumerate(batches):
            place = context.input_pipeline_id, number % 2
            rows.setdefault(place, []).extend(inputs[0])
    starts = set()
    for characters in rows.values():
        assert (np.diff(characters) == 1).all()
        starts.add(int(characters[0]))
    assert starts == {1, 125, 249, 373}


@pytest.mark.parametrize("length", [21, 39, 40, 41, 60])
def test_short_texts(tmp_path, length):
    folder = write(tmp_path / "short", train=LETTERS[:length])
    for seed in range(5):
        inputs, targets = support.joined(
            make(folder, batch_size=1, seed=seed).train
        )
        assert (targets == inputs + 1).all()


@pytest.mark.parametrize("inside", ["", "wikitext-103-raw"])
def test_wikitext_as_it_comes(tmp_path, inside):
    write(tmp_path / inside, layout="wiki.{}.raw", test="ab\n" * 30)
    splits = text.splits(Batching(2), str(tmp_path), time=10, evaluation="test")
    # 256 characters are told apart, one of which is any other.
    assert splits.info == (49, 8, 256, (10,))


@pytest.mark.parametrize(
    ("names", "missing"),
    [([], "there is none of them"), (["train.txt"], "there is no valid.txt")],
)
def test_missing_files(tmp_path, names, missing):
    for name in names:
        (tmp_path / name).write_text("abc")
    with pytest.raises(FileNotFoundError, match=missing) as error:
        text.describe(str(tmp_path))
    assert f"data_dir={str(tmp_path)!r}" in str(error.value)
    assert "wikitext-103-raw-v1.zip" in str(error.value)


def test_no_folder():
    with pytest.raises(ValueError, match=r"Received: data_dir=None\. Unpack"):
        text.describe()


def test_other_encodings_are_named(tmp_path):
    for part in ("train", "valid"):
        (tmp_path / f"{part}.txt").write_bytes("é".encode("latin-1"))
    with pytest.raises(ValueError, match=r"must be UTF-8.*train\.txt"):
        text.describe(str(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"time": 0}, "time=0"),
        ({"time": 500}, "training text must be longer.*time=500 for 500"),
        ({"time": 90}, "evaluation text must be longer.*time=90 for 90"),
        ({"vocabulary_size": 1}, "at least 2.*vocabulary_size=1"),
        ({"evaluation": "dev"}, "Received: 'dev'"),
    ],
)
def test_wrong_arguments(folder, arguments, message):
    with pytest.raises(ValueError, match=message):
        text.describe(folder, **arguments)


def test_contiguous_rows_too_short_for_a_window(folder):
    with pytest.raises(ValueError, match="batch_size=30, time=20"):
        make(folder, batch_size=30, contiguous=True)
