"""Files of plans that are damaged, and sanitizers over those that are not."""

import re
import struct
import zlib

import numpy as np
import pytest

from tests.native import build_test
from tests.native import cases
from tests.native import plan_cases
from tf_rigl.native import Plan
from tf_rigl.native import plan_file

DRIVER = build_test.DRIVER.with_name("plan_driver.cc")


def plan_of(seed, *kinds):
    return plan_file.encode(plan_cases.random_network(seed, kinds))


def mended(data):
    """The same with the size and the checksum that it should have."""
    data = bytearray(data)
    struct.pack_into("<Q", data, 16, len(data))
    struct.pack_into("<I", data, 12, zlib.crc32(memoryview(data)[16:]))
    return bytes(data)


@pytest.fixture(
    name="plan",
    scope="module",
    params=[
        ("convolution", "pool", "reshape", "dense"),
        ("recurrence", "recurrence"),
    ],
    ids=["images", "sequences"],
)
def plan_fixture(request):
    return plan_of(0, *request.param)


@cases.needs_library
def test_another_version_is_refused_with_a_sentence(plan):
    other = plan[:8] + struct.pack("<I", plan_file.VERSION + 1) + plan[12:]
    with pytest.raises(ValueError, match=r"version 3.*reads version 2.*again"):
        Plan(other)


@cases.needs_library
@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "no plan"), (b"RIGLPLA", "no plan"), (b"RIGLPLAN", "too short")],
)
def test_what_is_no_plan_is_refused(data, reason, tmp_path):
    path = tmp_path / "some.plan"
    path.write_bytes(data)
    for given in (data, path):
        with pytest.raises(ValueError, match=reason):
            Plan(given)
    for given in (tmp_path / "missing", tmp_path):
        with pytest.raises(FileNotFoundError, match="must be a file that"):
            Plan(given)


@cases.needs_library
def test_each_changed_byte_is_noticed(plan):
    """By the checksum, whatever it is; some bytes of each hundred."""
    random = np.random.default_rng(0)
    for at in range(0, len(plan), max(1, len(plan) // 300)):
        changed = bytearray(plan)
        changed[at] ^= int(random.integers(1, 256))
        with pytest.raises(ValueError, match=r"damaged|no plan|version"):
            Plan(bytes(changed))
    for size in (len(plan) - 1, len(plan) // 2, 100, 64, 63):
        with pytest.raises(ValueError, match=r"size is wrong|too short"):
            Plan(plan[:size])


@cases.needs_library
@pytest.mark.parametrize(
    "kinds",
    [
        ("convolution", "pool", "reshape", "dense"),
        ("embedding", "normalize", "attention"),
        ("constant", "concatenate", "transpose", "slice", "matrix_product"),
    ],
)
def test_damage_under_a_right_checksum_is_noticed_or_harmless(kinds):
    plan = plan_of(0, *kinds)
    refused = 0
    words = struct.unpack_from("<I", plan, 24)[0]
    for at in range(64, 64 + 4 * words, 4):
        for number in (-1, 2**31 - 1, 0, 7):
            changed = bytearray(plan)
            struct.pack_into("<i", changed, at, number)
            try:
                Plan(mended(changed))
            except ValueError as error:
                assert "damaged" in str(error) or "too large" in str(error)
                refused += 1
    assert refused > words


@pytest.mark.slow
@build_test.needs_compiler
@pytest.mark.parametrize("sanitizer", ["address,undefined", "thread"])
def test_sanitizers_find_nothing_in_thousands_of_damaged_plans(
    tmp_path, sanitizer
):
    flags = ["-O1", "-g", f"-fsanitize={sanitizer}"]
    if sanitizer != "thread":
        flags.append("-fno-sanitize-recover=all")
    driver = build_test.make_driver(tmp_path, ["g++"], *flags, source=DRIVER)
    paths = []
    for seed in range(40):
        kinds = np.random.default_rng(seed).permutation(plan_cases.KINDS)[:6]
        path = tmp_path / f"{seed}.plan"
        path.write_bytes(plan_of(seed, *kinds))
        paths.append(path)
    # 10,000 and more in all, at the level of this machine; some at the others.
    for level, mutations in ((2, 260), (1, 20), (0, 20)):
        printed = build_test.run_driver(driver, level, 2, mutations, *paths)
        numbers = list(map(int, re.findall(r"(\d+) (?:run|refused)", printed)))
        assert numbers[:2] == [5 * len(paths), 0], printed
        assert numbers[2] > 0 and numbers[3] > numbers[2] / 2, printed
