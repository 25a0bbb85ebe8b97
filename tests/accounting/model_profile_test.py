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

weight              shape    parameters  non-zeros  sparsity  dense MACs    MACs  dense bytes   bytes
-----------------------------------------------------------------------------------------------------
images/conv/kernel  3×3×1×8          72         30   58.33 %      64,800  27,000          288     129
words/embeddings    1000×4        4,000      4,000    0.00 %           0       0       16,000  16,000
attention/products                                                 1,536   1,536                     
custom/w            4×2               8          8    0.00 %           ?       ?           32      32
out/kernel          8×10             80          0  100.00 %          80       0          320      10
2 others                             18         18    0.00 %           0       0           72      72
-----------------------------------------------------------------------------------------------------
total                             4,178      4,056    2.92 %      66,416  28,536       16,712  16,243

FLOPs (2 for each MAC): 132,832 dense, 57,072 sparse (42.97 % of dense)

MACs and FLOPs are lower bounds. Not counted:
- custom (Custom): nobody knows"""  # noqa: E501, W291


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


def test_table_of_a_dense_model_has_one_number_of_flops():
    row = WeightProfile("kernel", "Dense", (5, 4), 20, 20, 20, 20)
    lines = str(ModelProfile("dense", (row,))).splitlines()
    assert lines[-1] == "FLOPs (2 for each MAC): 40 dense"


def test_table_names_a_few_of_many_uncounted_layers():
    layers = tuple(Uncounted(f"layer{i}", "Custom", "why") for i in range(20))
    last = str(ModelProfile("deep", (), layers)).splitlines()[-1]
    assert last.startswith("- layer0 (Custom), layer1 (Custom), ")
    assert last.endswith("layer7 (Custom), and 12 more: why")


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
    assert len({len(line) for line in table}) == 1
    assert str(ModelProfile("any", tuple(rows))) == text
