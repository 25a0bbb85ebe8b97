"""A search whose process is killed again and again ends as one that is not."""

import random
import signal

import pytest

from tests import support


def run(flavor, directory, event, treatment):
    return support.start_python(
        "-m", "tests.tickets.killed", flavor, directory, event, treatment
    )


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("flavor", "treatment"),
    [
        *((flavor, "zero") for flavor in support.FLAVORS),
        ("keras", "reshuffled_movement"),
        ("tf_keras", "movement_all"),
    ],
)
def test_fifty_kills(tmp_path, flavor, treatment):
    expected = run(flavor, tmp_path / "whole", 0, treatment)
    assert "sum" in expected.stdout, expected.stderr

    generator, kills = random.Random(0), 0
    while kills < 50:
        # Few events before each kill, so that all of the search is reached.
        event = generator.randint(1, 9)
        found = run(flavor, tmp_path / "killed", event, treatment)
        if found.returncode == -signal.SIGKILL:
            kills += 1
            continue
        break
    assert kills > 20
    found = run(flavor, tmp_path / "killed", 0, treatment)
    assert found.stdout.split("sum")[1] == expected.stdout.split("sum")[1]
