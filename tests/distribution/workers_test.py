import time

import numpy as np
import pytest

from tests.distribution import launch

RUN = "multi_worker:keras2:1"
# TensorFlow notices by a broken connection or by missing heartbeats.
NOTICED_WITHIN = 60  # seconds


def start(folder, epochs, *options):
    return launch.start_workers(
        [
            f"--output={folder}",
            f"--epochs={epochs}",
            "--report_batches",
            *options,
            RUN,
        ]
    )


def skip_to_epoch(process, epoch, batches):
    """Reads until a process has trained so many batches of an epoch."""
    while process.read_line() != f"epoch {epoch}\n":
        pass
    for _ in range(batches):
        assert process.read_line(), process.errors()


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_the_others_end_with_an_error(tmp_path, victim):
    with launch.started() as workers:
        workers += start(tmp_path, 1000)
        for worker in workers:
            skip_to_epoch(worker, 0, 5)
        workers[victim].kill()
        killed = time.monotonic()
        survivor = workers[1 - victim]
        assert survivor.wait(NOTICED_WITHIN) == 1
        print(f"noticed after {time.monotonic() - killed:.1f} s")
        assert "UnavailableError" in survivor.errors()
        assert "Collective ops is aborted" in survivor.errors()
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_restarted_run_ends_like_one_that_was_not_killed(tmp_path):
    """Killed in the third of four epochs, which a backup precedes."""
    results = []
    for name in ("whole", "killed"):
        folder = tmp_path / name
        folder.mkdir()
        backup = f"--backup={folder / 'backup'}"
        if name == "killed":
            with launch.started() as workers:
                workers += start(folder, 4, backup)
                skip_to_epoch(workers[1], 2, 7)
                workers[1].kill()
                assert workers[0].wait(NOTICED_WITHIN) == 1
        with launch.started() as workers:
            workers += start(folder, 4, backup)
            if name == "killed":
                assert workers[0].read_line() == "epoch 2\n"
            for worker in workers:
                while worker.read_line():
                    pass
            launch.wait_for(workers)
        results.append(
            [
                np.load(folder / f"{RUN.replace(':', '-')}-{worker}.npz")
                for worker in (0, 1)
            ]
        )
    for whole, killed in zip(*results, strict=True):
        assert whole["counters_0"][0][0] == 80
        for array in whole.files:
            np.testing.assert_array_equal(killed[array], whole[array], array)
