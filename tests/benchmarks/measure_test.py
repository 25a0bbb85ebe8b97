import json

import pytest

from benchmarks import measure


@pytest.fixture(name="rounds")
def rounds_fixture(monkeypatch):
    monkeypatch.setattr(measure, "chosen", lambda name: 3)


@pytest.mark.usefixtures("rounds")
def test_alternates():
    order = []

    def run(name):
        order.append(name)
        return len(order)

    measured = measure.alternate(
        {name: lambda name=name: run(name) for name in "ab"}
    )
    assert order == list("ababab")
    assert measured == {"a": [1, 3, 5], "b": [2, 4, 6]}


def test_ratios_are_of_the_same_round():
    # The second round ran at half the speed.
    ratios = measure.ratios([2.0, 4.0, 2.0], [1.0, 2.0, 1.0])
    assert ratios == measure.Summary(2.0, 2.0, 2.0)


def test_summary():
    summary = measure.summarize([3.0, 1.0, 2.5])
    assert summary == measure.Summary(2.5, 1.0, 3.0)
    assert f"{summary:.1f}" == "2.5 (1.0 to 3.0)"


def test_rounds_of_different_number():
    with pytest.raises(ValueError, match="shorter"):
        measure.ratios([1.0, 2.0], [1.0])


def test_environment_is_complete():
    environment = measure.environment()
    assert environment["cores"] >= 1
    assert {"tensorflow", "keras", "tf_keras"} <= set(environment)


def test_writes_json_whole(tmp_path):
    path = tmp_path / "figures.json"
    measure.write_json(str(path), {"rounds": 1}, {"a": [1.0]})
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["settings"] == {"rounds": 1}
    assert content["results"] == {"a": [1.0]}
    assert list(tmp_path.iterdir()) == [path]


def test_writes_no_json_without_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    measure.write_json("", {}, {})
    assert not list(tmp_path.iterdir())


def test_ratios_name_what_they_are_to(capsys):
    measured = {"dense": [1.0, 2.0], "sparse": [1.5, 3.0]}
    measure.print_ratios("Load", measured, {"sparse": "dense"}, "s")
    lines = capsys.readouterr().out.splitlines()
    assert "Load" in lines
    row = lines[-1]
    assert "2.250 (1.500 to 3.000)" in row
    assert "1.500 (1.500 to 1.500)" in row
    assert row.split()[-1] == "dense"
