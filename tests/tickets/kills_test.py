"""A search whose process is killed again and again ends as one that is not."""

import random
import signal

import pytest

from tests import support


def run(flavor, directory, event):
    return support.start_python(
        "-m", "tests.tickets.killed", flavor, str(directory), str(event)
    )


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("flavor", support.FLAVORS)
def test_fifty_kills(tmp_path, flavor):
    expected = run(flavor, tmp_path / "whole", 0)
    assert "sum" in expected.stdout, expected.stderr

    generator, kills = random.Random(0), 0
    while kills < 50:
        # Few events before each kill, so that all of the search is reached.
        found = run(flavor, tmp_path / "killed", generator.randint(1, 9))
        if found.returncode == -signal.SIGKILL:
            kills += 1
            continue
        break
    assert kills > 20
    found = run(flavor, tmp_path / "killed", 0)
    assert found.stdout.split("sum")[1] == expected.stdout.split("sum")[1]
