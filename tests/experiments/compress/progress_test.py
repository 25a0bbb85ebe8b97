import json

from tests.experiments.compress import support
from tf_rigl.experiments.compress import progress
from tf_rigl.experiments.compress import request
from tf_rigl.experiments.runs.plan import RunPlan

PLAN = RunPlan(4, 2, 0, 1, 0, (), 10)


def test_all_is_done(tmp_path):
    folder, asked = support.two_compressions(tmp_path)
    path = folder / request.COMPRESSIONS / "lr_0.1_s0"
    found = progress.CompressionProgress(path, asked, PLAN)
    # Large, two times fine-tuned, two times scratch-B of 8 epochs.
    assert found.total == 4 * (2 + 2 * 2 + 2 * 8)
    assert not found.is_done  # before it has read
    assert found.read() == (found.total, "done")
    assert found.is_done


def test_scratch_b_is_estimated_until_channels_are_removed(tmp_path):
    asked = support.ask("--ratios=0.5", "--retrain=scratch_b,ticket")
    path = tmp_path / "one"
    found = progress.CompressionProgress(path, asked, PLAN)
    assert found.total == 4 * (2 + 8 + 2)
    assert found.read() == (0, "large, epoch 0/2")

    for name in ("large", "scratch_b_0.5"):
        (path / name).mkdir(parents=True)
    (path / "large" / "results.json").write_text(json.dumps({}))
    lines = '{"epoch": 0}\n{"ep'
    (path / "scratch_b_0.5" / "metrics.jsonl").write_text(lines)
    assert found.read() == (4 * 3, "scratch b 0.5, epoch 1/8")

    least = support.ask("--retrain=scratch_b", "--most_epochs=3")
    found = progress.CompressionProgress(path, least, PLAN)
    assert found.total == 4 * (2 + 3)
