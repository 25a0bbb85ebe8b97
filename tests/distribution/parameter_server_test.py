"""A parameter server with one worker trains as one device does.

With several workers, which take steps at any time, only masks that rest stay
right: `platform_limits` refuses the others.
"""

import numpy as np
import pytest

from tests.distribution import launch
from tests.distribution.replicas_test import check_exports

pytestmark = pytest.mark.slow

RUN = "parameter_server:keras2:1"
REFERENCE = "one_device:keras2:1"


def train(folder, algorithm, workers):
    options = [f"--output={folder}", f"--algorithm={algorithm}", "--export"]
    with launch.started() as processes:
        processes += launch.start_with_parameter_server(
            [*options, RUN], workers
        )
        processes.append(launch.Process([*options, REFERENCE]))
        # Servers serve until they are killed.
        launch.wait_for([processes[0], processes[-1]])
    return [
        np.load(folder / f"{run.replace(':', '-')}-0.npz")
        for run in (RUN, REFERENCE)
    ]


def test_one_worker_gives_the_masks_of_one_device(tmp_path):
    found, expected = train(tmp_path, "rigl", workers=1)
    assert expected["counters_0"][0][0] == 20
    for name in expected.files:
        if name.startswith(("mask", "counters")):
            np.testing.assert_array_equal(found[name], expected[name], name)
        elif name.startswith(("weight", "trainable")):
            np.testing.assert_allclose(found[name], expected[name], atol=2e-6)
    check_exports(tmp_path / f"{RUN.replace(':', '-')}-0")


def test_two_workers_do_not_update_masks(tmp_path):
    with launch.started() as processes:
        processes += launch.start_with_parameter_server(
            [f"--output={tmp_path}", RUN], workers=2
        )
        assert processes[0].wait(launch.PATIENCE) == 1
        assert "only a single worker can update masks" in processes[0].errors()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("algorithm", ["static", "none"])
def test_masks_rest_with_two_workers(tmp_path, algorithm):
    found, expected = train(tmp_path, algorithm, workers=2)
    for index in (0, 1):
        mask = found[f"mask_{index}"]
        np.testing.assert_array_equal(mask, expected[f"mask_{index}"])
        assert not np.any(found[f"weight_{index}"][~mask])
        assert np.any(found[f"weight_{index}"] != expected[f"weight_{index}"])
