from tests.experiments.tickets import support
from tf_rigl.experiments.runs.plan import RunPlan
from tf_rigl.experiments.tickets import progress
from tf_rigl.experiments.tickets.settings import SearchSettings

PLAN = RunPlan(4, 3, 0, 1, 0, (), 10)


def test_steps_of_what_is_trained(tmp_path):
    folder, asked = support.two_searches(tmp_path)
    searches = folder / "searches"
    found = progress.SearchProgress(
        searches / "lr_0.0012_s0", asked.search, PLAN
    )
    assert found.total == 5 * 12
    assert found.read() == (60, "done")
    assert found.is_done


def test_steps_of_a_level_that_is_being_trained(tmp_path):
    asked = support.ask("--rounds=2", "--rewind_step=4", "--controls=reinit")
    name = "lr_0.0012_s0"
    records = {"level_00": support.record(0, 4, 0.9, 0.9)}
    folder = support.make_searches(tmp_path, {name: records}, asked)
    level = folder / "searches" / name / "level_01"
    level.mkdir()
    (level / "metrics.jsonl").write_text('{"epoch": 1}\n{"ep')
    found = progress.SearchProgress(level.parent, asked.search, PLAN)
    # From the step of rewinding on, there are two epochs of three.
    assert found.total == 12 + 3 * 8
    assert found.read() == (12 + 4, "level 01, 4/8")
    assert not found.is_done


def test_before_it_has_begun(tmp_path):
    search = SearchSettings(rounds=1, controls=())
    found = progress.SearchProgress(tmp_path / "none", search, PLAN)
    assert found.read() == (0, "level 00, 0/12")


def test_fine_tuning_trains_from_the_first_step(tmp_path):
    search = SearchSettings(rounds=1, retrain="fine_tune", rewind_step=4)
    found = progress.SearchProgress(tmp_path, search, PLAN)
    assert found.total == 12 + 12 + 2 * 8
