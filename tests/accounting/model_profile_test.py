"""The plain records and their table; no Keras is needed."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core import strategies
from tf_rigl.accounting import ModelProfile
from tf_rigl.accounting import Uncounted
from tf_rigl.accounting import WeightProfile

ROWS = (
    WeightProfile("images/conv/kernel", "Conv2D", (3, 3, 1, 8), 72, 30,
                  27_000, 64_800, masked=True),
    WeightProfile("images/conv/bias", "Conv2D", (8,), 8, 8, 0, 0),
    WeightProfile("words/embeddings", "Embedding", (1000, 4), 4000, 4000, 0, 0),
    WeightProfile("attention/products", "MultiHeadAttention", (), 0, 0,
                  1536, 1536),
    WeightProfile("custom/w", "Custom", (4, 2), 8, 8, 0, 0, counted=False),
    WeightProfile("out/kernel", "Dense", (8, 10), 80, 0, 0, 80, masked=True),
    WeightProfile("out/bias", "Dense", (2, 5), 10, 10, 0, 0),
)  # fmt: skip
PROFILE = ModelProfile(
    "small", ROWS, (Uncounted("custom", "Custom", "nobody knows"),)
)
TABLE = """\
Model 'small', one example

weight              shape    non-zeros  sparsity    MACs  bytes
---------------------------------------------------------------
images/conv/kernel  3×3×1×8         30   58.33 %    27 k    129
words/embeddings    1000×4       4,000     dense       0   16 k
attention/products                                1.54 k       
custom/w            4×2              8     dense       ?     32
out/kernel          8×10             0  100.00 %       0     10
2 others                            18     dense       0     72

total      dense  sparse    share
---------------------------------
weights    4,178   4,056  97.08 %
MACs      66,416  28,536  42.97 %
FLOPs    132,832  57,072  42.97 %
bytes     16,712  16,243  97.19 %

Sparsity: 80.26 % of the 152 weights with a mask, 2.92 % of all 4,178. Dense,
without a mask: 4,000 in Embedding, 18 in biases, 8 in Custom.
Counted: the multiply-accumulates (MACs) of weights and of attention's products,
two FLOPs for each. Not counted: biases, normalization, activations, pooling,
embedding look-ups. Bytes: 4 for each non-zero weight and, where a mask has
zeros, 1 bit for each position.

MACs and FLOPs are lower bounds. Not counted either:
- custom (Custom): nobody knows"""  # noqa: W291


@st.composite
def weight_profiles(draw):
    shape = tuple(draw(st.lists(st.integers(1, 40), max_size=4)))
    parameters = math.prod(shape)
    nonzeros = draw(st.integers(0, parameters))
    times = draw(st.integers(0, 10**6))

    return WeightProfile(
        draw(st.text("abc/", min_size=1, max_size=30)),
        "Dense",
        shape,
        parameters,
        nonzeros,
        times * nonzeros,
        times * parameters,
        masked=nonzeros < parameters,
        counted=draw(st.booleans()),
    )


def test_table():
    assert str(PROFILE) == TABLE


def test_table_of_a_dense_model_has_one_column_of_totals():
    row = WeightProfile("kernel", "Dense", (5, 4), 20, 20, 20, 20)
    text = str(ModelProfile("dense", (row,)))
    assert "FLOPs       40\n" in text
    assert "sparse" not in text
    assert "Sparsity:" not in text


def test_sparsity_is_that_asked_for_and_that_of_all_weights():
    rows = (
        WeightProfile("a/kernel", "Dense", (9,), 100, 10, 0, 0, masked=True),
        WeightProfile("a/bias", "Dense", (50,), 50, 50, 0, 0),
        WeightProfile("b/gamma", "BatchNormalization", (5,), 5, 5, 0, 0),
        WeightProfile("b/beta", "BatchNormalization", (5,), 5, 5, 0, 0),
    )
    profile = ModelProfile("normalized", rows)
    assert profile.masked_parameters == 100
    assert profile.masked_sparsity == 0.9
    assert profile.sparsity == 1 - 70 / 160
    told = " ".join(str(profile).split())
    assert (
        "Sparsity: 90.00 % of the 100 weights with a mask, 56.25 % of all 160. "
        "Dense, without a mask: 50 in biases, 10 in BatchNormalization."
    ) in told
    whole = ModelProfile("whole", rows[:1])
    assert "of all 100. All have one." in " ".join(str(whole).split())


def test_table_names_a_few_of_many_uncounted_layers():
    layers = tuple(Uncounted(f"layer{i}", "Custom", "why") for i in range(20))
    text = str(ModelProfile("deep", (), layers))
    *_, told = " ".join(text.split()).rpartition("- ")
    assert told.startswith("layer0 (Custom), layer1 (Custom), ")
    assert told.endswith("layer7 (Custom), and 12 more: why")
    assert max(map(len, text.splitlines())) <= 80


def test_table_fits_eighty_columns():
    rows = tuple(
        WeightProfile(f"{path}/kernel", "Conv2D", (1, 1, 512, 2048), 2**20,
                      10**6, 10**10, 4 * 10**10, masked=True)
        for path in ("conv5_block1_1_conv", "stage_4/block_12/depthwise_conv",
                     "n" * 100)
    )  # fmt: skip
    text = str(ModelProfile("large", rows))
    assert max(map(len, text.splitlines())) <= 80
    assert "conv5_block1_1_conv/kernel       1×1×512×2048  1,000,000" in text


def test_empty_profile():
    profile = ModelProfile("empty", ())
    assert profile.sparsity == 0.0
    assert profile.macs == profile.parameters == profile.bytes == 0
    assert "total" in str(profile)


def test_records_are_immutable():
    with pytest.raises(AttributeError, match="rows"):
        PROFILE.rows = ()
    with pytest.raises(AttributeError, match="macs"):
        ROWS[0].macs = 1


@pytest.mark.parametrize(
    ("nonzeros", "expected"),
    [
        (17, 68),  # full: no bits
        (16, 64 + 3),
        (0, 3),
    ],
)
def test_bytes_of_17_elements(nonzeros, expected):
    row = WeightProfile("w", "Dense", (17,), 17, nonzeros, 0, 0, masked=True)
    assert row.bytes == expected
    assert row.dense_bytes == 68


@strategies.examples(100)
@given(st.lists(weight_profiles(), max_size=6))
def test_totals_are_sums(rows):
    profile = ModelProfile("any", tuple(rows))
    for name in ("parameters nonzeros macs dense_macs flops dense_flops bytes "
                 "dense_bytes").split():  # fmt: skip
        assert getattr(profile, name) == sum(getattr(row, name) for row in rows)
    assert profile.macs <= profile.dense_macs
    assert profile.flops == 2 * profile.macs
    assert 0 <= profile.sparsity <= 1
    assert profile.bytes <= profile.dense_bytes + sum(
        -(-row.parameters // 8) for row in rows
    )


@strategies.examples(100)
@given(st.lists(weight_profiles(), max_size=6))
def test_table_is_aligned_plain_text(rows):
    text = str(ModelProfile("any", tuple(rows)))
    assert "\x1b" not in text
    table = text.split("\n\n")[1].splitlines()
    assert len(table[0]) <= 80
    assert len({len(line) for line in table}) == 1
    assert str(ModelProfile("any", tuple(rows))) == text
