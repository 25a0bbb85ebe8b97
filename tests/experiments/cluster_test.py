import json

import pytest

from tf_rigl.experiments import cluster

WORKERS = {"worker": ["a:1", "b:2"]}
SERVERS = {"chief": ["a:1"], "worker": ["b:2"], "ps": ["c:3"]}


def configure(monkeypatch, jobs, job="worker", task=0):
    config = {"cluster": jobs, "task": {"type": job, "index": task}}
    monkeypatch.setenv(cluster.VARIABLE, json.dumps(config))


def test_workers(monkeypatch):
    configure(monkeypatch, WORKERS, task=1)
    assert cluster.read_cluster("multi_worker") == (WORKERS, "worker", 1)
    assert not cluster.is_server("multi_worker")


@pytest.mark.parametrize(
    ("job", "serves"), [("chief", False), ("worker", True), ("ps", True)]
)
def test_who_serves(monkeypatch, job, serves):
    configure(monkeypatch, SERVERS, job)
    assert cluster.is_server("parameter_server") == serves
    assert not cluster.is_server("mirrored")


def test_who_trains_does_not_serve(monkeypatch):
    configure(monkeypatch, SERVERS, "chief")
    with pytest.raises(ValueError, match=r"'chief' in TF_CONFIG.*make_strat"):
        cluster.serve()


@pytest.mark.parametrize(
    ("strategy", "job"),
    [("multi_worker", "worker"), ("parameter_server", "ps")],
)
def test_missing(monkeypatch, strategy, job):
    monkeypatch.delenv(cluster.VARIABLE, raising=False)
    with pytest.raises(
        ValueError, match="TF_CONFIG, which is not set"
    ) as error:
        cluster.read_cluster(strategy)
    # Its example is one that works.
    example = str(error.value).partition("for example to ")[2]
    monkeypatch.setenv(cluster.VARIABLE, example.partition("; jobs")[0])
    assert job in cluster.read_cluster(strategy).jobs


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read .JSONDecodeError"),
        ("[1]", "cannot be read .TypeError"),
        ('{"cluster": {"worker": ["a:1"]}}', "KeyError: 'task'"),
    ],
)
def test_malformed(monkeypatch, text, message):
    monkeypatch.setenv(cluster.VARIABLE, text)
    with pytest.raises(ValueError, match=message):
        cluster.read_cluster("multi_worker")


@pytest.mark.parametrize(
    ("jobs", "task", "message"),
    [
        ({"worker": []}, 0, "lacks the job 'worker'"),
        ({"worker": ["a:1"], "ps": ["b:1"]}, 0, "has a job 'ps'"),
        ({"worker": ["a:1"]}, 1, "this is task 1 of 'worker', which it lacks"),
    ],
)
def test_not_for_workers(monkeypatch, jobs, task, message):
    configure(monkeypatch, jobs, task=task)
    with pytest.raises(ValueError, match=message):
        cluster.read_cluster("multi_worker")
