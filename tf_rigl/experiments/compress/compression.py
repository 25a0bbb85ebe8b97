"""One compression: a large network, its cuts, and what is trained of them."""

import pathlib
from collections.abc import Callable
from typing import Any

from rich import console as consoles

import tf_rigl
from tf_rigl import accounting
from tf_rigl.experiments import formatting
from tf_rigl.experiments import terminal
from tf_rigl.experiments.compress import cutting
from tf_rigl.experiments.compress import early_birds
from tf_rigl.experiments.compress import trainings
from tf_rigl.experiments.compress.files import CompressionFolder
from tf_rigl.experiments.compress.settings import EARLY_BIRD
from tf_rigl.experiments.compress.settings import SLIMMING
from tf_rigl.experiments.compress.settings import Asked
from tf_rigl.experiments.compress.settings import Target
from tf_rigl.experiments.compress.trainings import Lengths
from tf_rigl.experiments.compress.trainings import Training
from tf_rigl.experiments.runs import plan as plans
from tf_rigl.experiments.runs import program
from tf_rigl.experiments.runs import results
from tf_rigl.experiments.runs import run_folder
from tf_rigl.experiments.runs import setup
from tf_rigl.experiments.runs import tasks
from tf_rigl.experiments.runs import train as training_of_runs
from tf_rigl.experiments.runs.settings import RunOptions


def run_compression(asked: Asked, console: consoles.Console) -> None:
    """Trains what is left of a compression, a line for each training.

    If the process is killed at any time and a new one continues, the end is
    the same, bit for bit, as without the interruption.

    Raises:
        ValueError: if settings do not suit each other, the data or the folder.
    """
    path = pathlib.Path(asked.options.output_dir)
    folder = CompressionFolder(path)
    with run_folder.RunFolder(path).open(asked.base):
        folder.check_arguments(asked.compress)
        run_folder.RunFolder(path).keep_settings(asked.base)
        folder.keep_arguments(asked.compress)
        Compression(asked, folder, console).train()


class Compression:
    """Trains one compression in its folder.

    Args:
        asked: what the flags ask for.
        folder: the folder, which this process has locked.
        console: where to print.
    """

    def __init__(
        self, asked: Asked, folder: CompressionFolder, console: consoles.Console
    ) -> None:
        self._asked = asked
        self._folder = folder
        self._run = setup.prepare(asked.base)
        self._write = terminal.printer(console)
        self._options = RunOptions(
            checkpoint_every=asked.options.checkpoint_every,
            export=asked.options.export,
            metrics_every=0,
            tensorboard=False,
        )

    def train(self) -> None:
        """Trains the large network, cuts it and trains what is left."""
        for training in trainings.trainings(self._asked):
            if training.target is None:
                self._train_large(training)
            else:
                if not self._folder.pruned(training.target).is_done:
                    self._prune(training.target)
                self._train_part(training, training.target)

    def _train_large(self, training: Training) -> None:
        start, end = self._folder.start, self._folder.end
        if not start.exists():
            self._save(cutting.build_large(self._run), start)

        def make() -> Any:
            first = tf_rigl.Snapshot.load(start)
            return cutting.build_large(self._run, first)

        if not self._is_done(training) or not end.exists():
            model = self._fit(training, make, Lengths())
            found = early_birds.distances(self._folder, self._asked.targets)
            if found:
                picture = self._folder.distances
                tf_rigl.plot_mask_distances(found, picture, overwrite=True)
            self._save(model, end)

    def _prune(self, target: Target) -> None:
        """Removes channels, notes which, and measures what is left."""
        run = self._run
        with run.strategy.scope():
            last = tf_rigl.Snapshot.load(self._folder.end)
            model = cutting.build_large(run, last)
            found = cutting.prune(run, self._asked.compress, target, model)
            small = found.model
            before, after = tf_rigl.profile(model), tf_rigl.profile(small)
            setup.compile_model(run, small)

        data = setup.load_data(run)
        scores = small.evaluate(data.evaluation, verbose=0, return_dict=True)
        epochs = accounting.scratch_epochs(
            after, run.settings.total_epochs, large=before
        )
        pruned = self._folder.pruned(target)
        pruned.write_masks(found.masks)
        pruned.finish(
            {
                "target": target.name,
                "measures": tasks.measures(run.task, scores),
                "headline": run.task.headline,
                "before": results.totals(before),
                "after": results.totals(after),
                "scratch_b": epochs,
                "channels": found.channels,
            }
        )
        share = after.parameters / before.parameters
        for line in cutting.describe(found, share):
            self._write(f"{trainings.PRUNED}_{target.name}  {line}")

    def _train_part(self, training: Training, target: Target) -> None:
        if self._is_done(training):
            return
        if training.kind == EARLY_BIRD:
            self._train_early(training, target)
            return
        record = self._folder.pruned(target).read_record()

        def make() -> Any:
            return self.begin(training.kind, target)

        self._fit(training, make, Lengths(scratch_b=record["scratch_b"]))

    def begin(self, kind: str, target: Target) -> Any:
        """Builds the network that was cut, as a way of training begins it.

        Fine-tuning begins with the trained weights, a ticket with the first
        ones of the large network, and training from scratch with new ones.
        """
        folder = self._folder
        values = folder.end if kind == "finetune" else folder.start
        model = cutting.build_large(self._run, tf_rigl.Snapshot.load(values))
        small = cutting.cut(model, folder.pruned(target).read_masks())
        if kind.startswith("scratch"):
            cutting.redraw(self._run, small)
        return small

    def _train_early(self, training: Training, target: Target) -> None:
        """Cuts the large network when its ticket emerged, and trains on."""
        epochs = self._run.settings.total_epochs
        threshold = self._asked.compress.early_bird_threshold
        ticket = early_birds.find(self._folder, target, threshold, epochs)
        if ticket is None or ticket.epoch is None:
            self._folder.note_no_ticket(training)
            self._write(f"{training.name}  no ticket has emerged")
            return

        def make() -> Any:
            values = self._folder.early_values(target)
            snapshot = tf_rigl.Snapshot.load(values)
            model = cutting.build_large(self._run, snapshot)
            # Not by the ticket's masks, of which all that a sum ties would
            # have to agree: as at the end of the training.
            compress = self._asked.compress
            return cutting.prune(self._run, compress, target, model).model

        self._fit(training, make, Lengths(ticket=ticket.epoch))

    def _is_done(self, training: Training) -> bool:
        return self._folder.is_done(training.name, self._options.export)

    def _fit(
        self, training: Training, make: Callable[[], Any], lengths: Lengths
    ) -> Any:
        """Trains the rest of a training; returns the trained model."""
        asked = self._asked
        settings = trainings.settings_of(
            training, asked.compress, asked.base, lengths
        )
        run = self._run._replace(
            settings=settings, plan=plans.make_plan(settings, self._run.info)
        )
        folder = self._folder.training(training)
        with folder.open(settings):
            with run.strategy.scope():
                model = setup.compile_model(run, make())
                if asked.compress.in_low_precision(training.target is None):
                    tf_rigl.low_precision(model, seed=settings.seed)
            training_of_runs.restore(run, model, folder)
            folder.keep_settings(settings)
            if self._is_done(training):
                return model  # ended before its weights were kept
            self._write(f"{training.name} begins, {run.plan.total:,} steps")
            record = program.finish(
                run,
                folder,
                model,
                self._options,
                consoles.Console(quiet=True),
                self._method(training),
            )
        headline = record["headline"]
        value = formatting.write_measure(headline, record["measures"][headline])
        self._write(f"{training.name}  {headline} {value}")
        return model

    def _method(self, training: Training) -> list[Any]:
        """Returns the callbacks of slimming, and those that look for tickets.

        An early-bird ticket is slimmed on.
        """
        asked = self._asked
        is_large = training.kind == trainings.LARGE
        slims = is_large or training.kind == EARLY_BIRD
        if asked.compress.criterion != SLIMMING or not slims:
            return []
        strength = self._run.settings.slimming_strength
        method = tf_rigl.algorithms.Slimming(strength)
        found: list[Any] = [tf_rigl.UpdateMasks(method)]
        if is_large and EARLY_BIRD in asked.compress.retrain:
            for target in asked.targets:
                found += early_birds.callbacks(
                    self._folder, target, asked.compress.early_bird_threshold
                )
        return found

    def _save(self, model: Any, path: pathlib.Path) -> None:
        tf_rigl.Snapshot.of(model).save(path)
