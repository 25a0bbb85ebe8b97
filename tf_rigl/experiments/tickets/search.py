"""One search: its levels in turn, then their controls."""

from collections.abc import Iterator
from typing import Any

from rich import console as consoles

import tf_rigl
from tf_rigl.backend.callback import ModelCallback
from tf_rigl.core import cells
from tf_rigl.experiments import formatting
from tf_rigl.experiments import terminal
from tf_rigl.experiments.runs import fitting
from tf_rigl.experiments.runs import setup
from tf_rigl.experiments.runs.run_folder import RunFolder
from tf_rigl.experiments.runs.setup import PreparedRun
from tf_rigl.experiments.tickets import settings
from tf_rigl.experiments.tickets.settings import Asked
from tf_rigl.experiments.tickets.settings import SearchSettings
from tf_rigl.tickets import level as levels
from tf_rigl.tickets import run_names

TEST = "test_"  # what the names of metrics on the test data begin with


class TestScores(ModelCallback):
    """Adds the metrics on the test data to the logs of each epoch.

    Callbacks after it write them, so that they are known at the early stop,
    whichever epoch that turns out to be.
    """

    # Not a class of tests to pytest.
    __test__ = False

    def __init__(self, batches: Any) -> None:
        super().__init__()
        self._batches = batches

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Evaluates the model."""
        del epoch
        scores = self.model.evaluate(self._batches, verbose=0, return_dict=True)
        if logs is not None:
            logs.update({f"{TEST}{name}": one for name, one in scores.items()})


def run_search(asked: Asked, console: consoles.Console) -> None:
    """Trains what is left of a search, and prints a line for each training.

    If the process is killed at any time and a new one continues, the end is
    the same, bit for bit, as without the interruption.

    Raises:
        ValueError: if settings do not suit each other, the data or the folder,
            or a rate would leave a weight without connections.
    """
    run = setup.prepare(asked.base)
    folder = RunFolder(
        asked.options.output_dir, run.strategy.extended.should_checkpoint
    )
    with folder.open(asked.base):
        write = terminal.printer(console)
        model = setup.build_compiled(run)
        with run.strategy.scope():
            search = make_search(asked, model)
            folder.keep_settings(asked.base)
            for level in _levels(search, asked.search):
                write(f"{level.name} begins at step {level.step:,}")
                _train(run, model, level)
        for record in search.records():
            write(_line(record))


def make_search(asked: Asked, model: Any) -> tf_rigl.TicketSearch:
    """Makes the search of a model, or opens it.

    Raises:
        ValueError: if a rate is of an unknown layer, or the folder has a
            search with other arguments.
    """
    search, options = asked.search, asked.options
    return tf_rigl.TicketSearch(
        model,
        options.output_dir,
        rounds=search.rounds,
        rate=search.prune_rate,
        rates=search.rates(),
        scope=search.scope,
        criterion=search.criterion,
        rewind_step=search.rewind_step,
        retrain=search.retrain,
        action=search.action,
        keep_sign=search.keep_sign,
        treatment=search.treatment,
        save_every=options.checkpoint_every or "epoch",
        seed=asked.base.seed,
    )


def controls(search: SearchSettings) -> list[run_names.ControlName]:
    """Lists the controls of a search in the order of training."""
    return [
        run_names.ControlName(
            how.removesuffix(settings.KEEPS_SIGN),
            level,
            how.endswith(settings.KEEPS_SIGN),
            draw,
        )
        for level in search.levels_with_controls()
        for how in search.controls
        for draw in range(search.draws)
    ]


def _levels(
    search: tf_rigl.TicketSearch, asked: SearchSettings
) -> Iterator[levels.Level]:
    """Yields the levels and then the controls that are left to train."""
    yield from search
    for name in controls(asked):
        yield from search.control(
            name.how, name.level, name.draw, name.keep_sign
        )


def _train(run: PreparedRun, model: Any, level: levels.Level) -> None:
    """Trains the rest of a level or control."""
    level.ends_at(run.plan.total)
    for stretch in fitting.stretches(run.plan, level.step):
        data = setup.load_data(run, stretch.first_step)
        fitting.fit(
            model,
            stretch,
            data.train,
            validation_data=data.validation,
            callbacks=[TestScores(data.evaluation), *level.callbacks],
        )


def _line(record: Any) -> str:
    """Returns what a training has come to, in a line of the log."""
    accuracy = f"{TEST}accuracy"
    parts = [f"{record['name']}  {cells.percent(record['left'])} left"]
    for when in ("early_stop", "end"):
        found = record[when]
        if found is not None and found.get(accuracy) is not None:
            value = formatting.write_measure(accuracy, found[accuracy])
            words = when.replace("_", " ")
            parts.append(f"{words} at step {found['step']:,}: {value}")
    return "  ".join(parts)
