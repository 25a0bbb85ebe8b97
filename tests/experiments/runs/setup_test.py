import pytest

from tests.experiments.runs.support import tiny
from tf_rigl.experiments.runs import setup


def sizes(**changes):
    run = setup.prepare(tiny(evaluation_steps=0, steps_per_epoch=0, **changes))
    data = setup.load_data(run)
    examples = [
        sum(len(labels) for _, labels in part)
        for part in (data.validation, data.evaluation)
    ]
    return run.info.train_examples, run.plan.per_pass, *examples


def test_validation_examples_are_not_trained_on():
    assert sizes(validation_examples=1000) == (9000, 281, 1000, 2000)


def test_without_them_the_test_data_are_those_for_validation():
    assert sizes() == (10_000, 312, 2000, 2000)


def test_photographs_are_always_augmented():
    with pytest.raises(ValueError, match=r"`augment` must be true.*=False"):
        setup.prepare(tiny(data="imagenet2012", augment=False))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"data": "text", "model": "character_gru"},
            "must be 0 .*=5 for data='text'.*cifar10.*own arrays",
        ),
        (
            {"validation_examples": 10_000},
            "must be fewer.*=10000 of 10,000. Take fewer",
        ),
    ],
)
def test_too_many_or_impossible(changes, message):
    changes = {"validation_examples": 5, **changes}
    with pytest.raises(ValueError, match=f"`validation_examples` {message}"):
        setup.prepare(tiny(**changes))
