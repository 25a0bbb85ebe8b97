"""Iterative pruning with rewinding, as an iterator over rounds."""

import os
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import numpy as np

from tf_rigl.checkpointing import optimizer_state
from tf_rigl.checkpointing.checkpoints import Checkpoints
from tf_rigl.checkpointing.snapshot import Snapshot
from tf_rigl.checkpointing.snapshot_at import SnapshotAt
from tf_rigl.core import criteria
from tf_rigl.masking.masked_weight import check_stored_masked
from tf_rigl.masking.masked_weight import masks as masks_of
from tf_rigl.masking.masked_weight import require_masked_weights
from tf_rigl.tickets import arguments
from tf_rigl.tickets import run_names
from tf_rigl.tickets import table
from tf_rigl.tickets.folder import RunFolder
from tf_rigl.tickets.folder import SearchFolder
from tf_rigl.tickets.level import Level
from tf_rigl.tickets.random_masks import random_masks
from tf_rigl.tickets.start import Start
from tf_rigl.updating import pruning_rates
from tf_rigl.updating.callback import UpdateMasks
from tf_rigl.updating.prune import prune
from tf_rigl.updating.set_masks import set_masks


class TicketSearch:
    """A search for a winning ticket, which goes on wherever it was killed.

    Each level trains a network, prunes it, and rewinds what is left for the
    next one (Frankle and Carbin, arXiv:1803.03635; rewinding to a step,
    arXiv:1912.05671). Iterating trains the levels in turn; those that are done
    are left out:

        >>> model = tf_rigl.sparsify(model, 0.0, start="dense")
        >>> model.compile(optimizer, loss, metrics=["accuracy"])
        >>> search = tf_rigl.TicketSearch(model, "runs/tickets", rounds=9)
        >>> for level in search:
        ...     model.fit(
        ...         data.repeat().skip(level.step),
        ...         steps_per_epoch=100,
        ...         epochs=20,
        ...         initial_epoch=level.step // 100,
        ...         validation_data=validation,
        ...         callbacks=level.callbacks,
        ...     )
        >>> print(search)

    The model and its optimizer stay the same objects, and the training step is
    traced once. With data that is a function of `level.step`, the end is the
    same bit for bit, whenever the process was killed.

    Args:
        model: a built and compiled model of either Keras, masked by
            `sparsify`, usually with `sparsity=0.0, start="dense"`.
        directory: the folder of the search, which it makes.
        rounds: number of prunings; there are `rounds + 1` levels. A search
            that has ended goes on when it is made again with more.
        rate: fraction of the connections left that a round drops, in [0, 1).
        rates: rates of single weights by layer, name or path; see `prune`.
            The paper gives output layers half the rate.
        scope: `"weight"` or `"global"`; see `prune`.
        criterion: the score, one of `tf_rigl.core.criteria` that needs no data.
        rewind_step: optimizer steps after which the values are those to which
            levels are rewound; 0 for the initial ones.
        retrain: how levels after the first begin: with the weights of that
            step and new slots (`"weights"`), with its slots, too (`"state"`),
            with trained weights at the step's learning rate
            (`"learning_rate"`), or with trained weights where the last level
            ended (`"fine_tune"`); see Renda et al., arXiv:2003.02389.
        action: what becomes of the weights that are left: `"rewind"`, or new
            values by `reinitialize`: `"reinit"`, `"reshuffle"`, `"constant"`,
            `"tickets"` (Zhou et al., arXiv:1905.01067, section 3).
        keep_sign: whether new values keep the signs of those they replace.
        treatment: what becomes of the weights that are pruned: masked
            (`"zero"`), or frozen by `FreezeWeights`: at their initial values
            (`"initial"`), or at zero if they moved towards it and else at
            their initial values (`"movement"`), and others; see
            `tf_rigl.core.treatments` (Zhou et al., section 4).
        save_every: batches between two checkpoints, or `"epoch"`.
        seed: the seed of all that is drawn, any 32-bit integer.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if an argument is out of range, the model is dense or not
            compiled, or the directory has a search of another model or with
            other arguments. Nothing is overwritten.
    """

    def __init__(
        self,
        model: Any,
        directory: str | os.PathLike[str],
        *,
        rounds: int = 15,
        rate: float = 0.2,
        rates: Mapping[Any, float] | None = None,
        scope: str = "weight",
        criterion: str = "large_final",
        rewind_step: int = 0,
        retrain: str = "weights",
        action: str = "rewind",
        keep_sign: bool = False,
        treatment: str = "zero",
        save_every: int | str = "epoch",
        seed: int = 0,
    ) -> None:
        records = require_masked_weights(model)
        check_stored_masked(records, "search for tickets")
        arguments.check_model(model)
        arguments.check_counts(rounds, rewind_step)
        arguments.check_choices(scope, criterion, retrain, action, treatment)

        self.model = model
        self.rounds = rounds
        self._rate = pruning_rates.checked_rate("rate", rate)
        self._rates = pruning_rates.rates_by_path(model, rates or {})
        self._scope = scope
        self._criterion = criterion
        self._save_every = save_every
        self._folder = SearchFolder(
            directory,
            {
                "version": 1,
                "weights": {one.path: list(one.shape) for one in records},
                "rate": self._rate,
                "rates": self._rates,
                "scope": scope,
                "criterion": criterion,
                "rewind_step": rewind_step,
                "retrain": retrain,
                "action": action,
                "keep_sign": keep_sign,
                "treatment": treatment,
                "seed": seed,
            },
        )
        self._start = Start(
            self._folder,
            rewind_step,
            retrain,
            action,
            keep_sign,
            treatment,
            seed,
        )
        self._begin_search()

    def __iter__(self) -> Iterator[Level]:
        """Yields the levels that are not trained yet, ready for training.

        Raises:
            ValueError: if the body of the loop has not trained a level.
        """
        for number in range(self.rounds + 1):
            run = self._folder.level(number)
            if run.is_done:
                run.clean()
                continue
            if not run.is_begun:
                # The search has more rounds than when it ended.
                self.restore(number - 1)
                self._prune_for(number)
            level = self._begin_level(number, run)
            yield level
            self._finish_level(level, run)

    def control(
        self,
        how: str,
        level: int,
        draw: int = 0,
        keep_sign: bool = False,
    ) -> Iterator[Level]:
        """Yields a control of a level for training, unless it is done.

        It is trained as the level is, and recorded in the same table:

            >>> for control in search.control("reinit", level=9):
            ...     model.fit(..., callbacks=control.callbacks)

        Args:
            how: `"random_mask"`, as many connections of each weight at random
                places, with the level's values; or new values for its masks:
                `"reinit"`, `"reshuffle"`, `"constant"`, `"tickets"`.
            level: number of the level, whose masks must be known.
            draw: number of the draw; each gives other masks or values.
            keep_sign: whether new values keep the signs of those they replace.

        Raises:
            ValueError: if `how` is unknown or does not go with the treatment,
                the search has not come to the level, or the body of the loop
                has not trained the control.
        """
        arguments.check_control(how, self._start.treatment)
        of_level = self._run_of(level, "A control")
        parts = run_names.ControlName(how, level, keep_sign, draw)
        name = run_names.control(parts)
        run = self._folder.run(name)
        if run.is_done:
            run.clean()
            return
        if not run.is_begun:
            given = of_level.read_masks()
            if how == "random_mask":
                seed = self._start.seed_of(name)
                given = random_masks(self.model, given, seed)
            run.write_masks(given)

        def set_values(masks: Mapping[str, np.ndarray]) -> int:
            return self._start.set_control_values(
                self.model, level, masks, how, keep_sign, name
            )

        one = Level(level, name, run, *self._put_model(run, level, set_values))
        yield one
        self._record(one, run, one.results())

    def restore(self, level: int) -> Any:
        """Puts a trained level back into the model, with its masks.

        Where pruned weights hold values, the model has all connections.

        Returns:
            The model.

        Raises:
            ValueError: if the level is not trained.
        """
        run = self._run_of(level, "The model")
        if not run.is_done:
            raise ValueError(
                "Only a level that was trained can be restored. Received: "
                f"level={level!r} of {self._folder.path!r}. Iterate over the "
                "search to train it."
            )
        self._start.put_masks(self.model, level, run.read_masks())
        Snapshot.load(run.end).restore(self.model, slots="keep")
        return self.model

    def masks(self, level: int) -> dict[str, np.ndarray]:
        """Returns the masks of a level by path.

        Raises:
            ValueError: if the search has not come to the level.
        """
        return self._run_of(level, "Masks").read_masks()

    def records(self) -> list[dict[str, Any]]:
        """Returns what was recorded of levels and then of controls, in order.

        Each has `name`, `level`, the `connections` of each weight by path,
        `left`, the fraction of the masked weights' elements that are active,
        the optimizer `steps` of its training, and the metrics of `early_stop`
        (None without validation) and `end`.
        """
        names = [run_names.level(number) for number in range(self.rounds + 1)]
        runs = map(self._folder.run, [*names, *self._folder.controls()])
        return [run.read_record() for run in runs if run.is_done]

    def __str__(self) -> str:
        return table.of_records(self.records(), self.model)

    def _run_of(self, level: int, what: str) -> RunFolder:
        """Returns the files of a level, whose masks must be known."""
        run = self._folder.level(level)
        if not run.is_begun:
            raise ValueError(
                f"{what} can be had of a level to which the search has come. "
                f"Received: level={level!r} of {self._folder.path!r}. Iterate "
                "over the search to train the levels before it."
            )
        return run

    def _begin_search(self) -> None:
        """Notes masks and values of the beginning, once."""
        run = self._folder.level(0)
        if not run.is_begun:
            Snapshot.of(self.model).save(self._folder.start)
            run.write_masks(masks_of(self.model))

    def _put_model(
        self,
        run: RunFolder,
        level: int,
        set_values: Callable[[Mapping[str, np.ndarray]], int],
    ) -> tuple[UpdateMasks, Checkpoints]:
        """Puts the model to where a training goes on, or begins it.

        Args:
            run: the files of the training, with its masks.
            level: number of its level.
            set_values: sets the values of its start, given the masks; returns
                its first batch.

        Returns:
            The callback that trains it, and its checkpoints, of which there is
            one at least.
        """
        masks = run.read_masks()
        self._start.put_masks(self.model, level, masks)
        self._start.prepare_state(self.model, level, masks)
        checkpoints = Checkpoints(run.checkpoints, self._save_every)
        if checkpoints.steps:
            checkpoints.restore(self.model)
        else:
            batch = set_values(masks)
            run.begin(optimizer_state.steps_taken(self.model.optimizer))
            checkpoints.save(self.model, batch)
        return self._start.method(self.model, level, masks), checkpoints

    def _begin_level(self, number: int, run: RunFolder) -> Level:
        """Puts the model to where the level begins or goes on."""
        method, checkpoints = self._put_model(
            run,
            number,
            lambda masks: self._start.set_values(self.model, number, masks),
        )
        snapshot = None
        if number == 0 and self._start.rewind_step:
            snapshot = SnapshotAt(self._start.rewind_step, self._folder.rewind)
        name = run_names.level(number)
        return Level(number, name, run, method, checkpoints, snapshot)

    def _finish_level(self, level: Level, run: RunFolder) -> None:
        """Records a trained level and prunes it for the next one."""
        results = level.results()  # raises before anything is written
        Snapshot.of(self.model).save(run.end)

        if level.number < self.rounds:
            self._prune_for(level.number + 1)
        self._record(level, run, results)

    def _prune_for(self, number: int) -> None:
        """Prunes the trained level before this one, and writes the masks."""
        before = self._folder.level(number - 1)
        values = self._start.values_path
        arguments.check_reached(values, self._start.rewind_step)
        # Pruned weights that hold values do not compete.
        set_masks(self.model, before.read_masks())
        needs_initial = criteria.CRITERIA[self._criterion].needs_initial
        prune(
            self.model,
            self._criterion,
            scope=self._scope,
            seed=self._start.seed_of(run_names.level(number - 1)),
            amount=self._rate,
            rates=self._rates,
            initial=Snapshot.load(values) if needs_initial else None,
        )
        self._folder.level(number).write_masks(masks_of(self.model))

    def _record(
        self, level: Level, run: RunFolder, results: Mapping[str, Any]
    ) -> None:
        """Writes the record of a level or control, which ends it."""
        masks = run.read_masks()
        size = sum(mask.size for mask in masks.values())
        connections = {
            path: int(np.count_nonzero(mask)) for path, mask in masks.items()
        }
        step = optimizer_state.steps_taken(self.model.optimizer)
        run.finish(
            {
                "name": level.name,
                "level": level.number,
                "left": sum(connections.values()) / size,
                "connections": connections,
                "steps": run.steps_until(step),
                **results,
            }
        )
