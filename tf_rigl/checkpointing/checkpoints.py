"""The callback that saves checkpoints and resumes a run exactly."""

import contextlib
import os
import re
import signal
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from absl import logging

from tf_rigl.backend import atomic_files
from tf_rigl.backend.callback import ModelCallback
from tf_rigl.checkpointing import checkpoint_file
from tf_rigl.checkpointing.checkpoint_file import DamagedFileError
from tf_rigl.checkpointing.training_state import TrainingState
from tf_rigl.core.checks import check_choice

_NAME = "step-{step:012d}.npz"
_PATTERN = re.compile(r"step-(\d{12})\.npz")
# The exit code that a shell reports for a process ended by SIGTERM.
_TERMINATED = 128 + signal.SIGTERM


class Checkpoints(ModelCallback):
    """Saves the whole training state, and restores it when training begins.

    A checkpoint is one file with weights, masks, counters, the method's
    state, random generators, optimizer steps and slots. It is written under
    another name and then renamed, so that a killed process or a power failure
    leaves earlier checkpoints intact and costs at most the work since the
    last one.

    When `fit` begins, the newest checkpoint is restored; `step` tells how many
    batches it has seen. On SIGTERM, which cluster managers send some time
    before they kill a process, a single worker saves a checkpoint and exits
    with code 143. Several workers cannot agree on a batch at once, so they
    exit without saving.

    With an endless data set, a resumed run equals an uninterrupted one bit for
    bit:

        >>> checkpoints = tf_rigl.Checkpoints("runs/mine", save_every=500)
        >>> model.fit(
        ...     data.repeat().skip(checkpoints.step),
        ...     steps_per_epoch=steps,
        ...     epochs=20,
        ...     initial_epoch=checkpoints.step // steps,
        ...     callbacks=[tf_rigl.UpdateMasks(tf_rigl.RigL()), checkpoints],
        ... )

    A run that was stopped within an epoch repeats the number of that epoch and
    stops after `epochs * steps_per_epoch` batches in all, so its last epoch is
    shorter. The Python state of other callbacks is not saved. In a custom
    loop, call `restore` and `save`.

    The random generators of tf_keras layers can be saved only after
    `tf_keras.backend.experimental.enable_tf_random_generator`.

    Args:
        directory: the directory of the files, local or supported by
            `tf.io.gfile`. Workers must share it; the chief writes.
        save_every: `"epoch"`, or a number of batches. With several steps per
            execution, the first execution that reaches the number saves.
        keep: the number of newest checkpoints to keep.
        on_failure: what to do if a checkpoint cannot be written because the
            disk is full or the directory is gone: `"continue"` with a
            warning, or `"stop"` with an error. Earlier ones stay intact.
        also_every: the number of batches between additional checkpoints
            within an epoch, 0 for none. The last batch of an epoch has none:
            that of the epoch follows, after other callbacks have saved.
        total_steps: the number of batches of the whole run, after which
            training stops; by default `steps_per_epoch * epochs`.

    Raises:
        ValueError: if an argument is out of range; when training begins, if
            the directory is not writable, or its newest checkpoint is
            damaged or belongs to another model.
    """

    # A batch must be complete when its state is saved.
    async_safe = False

    def __init__(
        self,
        directory: str | os.PathLike[str],
        save_every: int | str = "epoch",
        keep: int = 2,
        on_failure: str = "continue",
        *,
        also_every: int = 0,
        total_steps: int | None = None,
    ) -> None:
        super().__init__()
        if save_every != "epoch" and not _is_count(save_every):
            raise ValueError(
                "`save_every` must be 'epoch' or a number of batches, at "
                f"least 1. Received: save_every={save_every!r}."
            )
        if not _is_count(keep):
            raise ValueError(
                "`keep` must be a number of checkpoints, at least 1. "
                f"Received: keep={keep!r}."
            )
        check_choice("on_failure", on_failure, ("continue", "stop"))
        if also_every and (save_every != "epoch" or not _is_count(also_every)):
            raise ValueError(
                "`also_every` must be a number of batches, and `save_every` "
                f"'epoch'. Received: also_every={also_every!r}, "
                f"save_every={save_every!r}. Leave one of them out."
            )

        self._directory = os.fspath(directory)
        self._save_every = save_every
        self._keep = keep
        self._on_failure = on_failure
        self._also_every = also_every
        # A search sets it, which makes the callbacks of a level itself.
        self.total_steps = total_steps
        self._batches = 0  # trained so far, in all
        self._before_epoch = 0  # trained before the current epoch
        self._saved = 0  # trained before the newest checkpoint
        self._termination = _Termination()

    @property
    def step(self) -> int:
        """Number of batches before the newest checkpoint, 0 if there is none.

        To resume, skip this many batches of an endless data set.
        """
        return max(self.steps, default=0)

    @property
    def steps(self) -> list[int]:
        """Number of batches before each checkpoint, in ascending order."""
        if not tf.io.gfile.isdir(self._directory):
            return []
        names = map(_PATTERN.fullmatch, tf.io.gfile.listdir(self._directory))
        return sorted(int(name.group(1)) for name in names if name)

    def save(self, model: Any, step: int, optimizer: Any = None) -> None:
        """Writes a checkpoint, in a custom training loop.

        All workers must call it.

        Args:
            model: the model.
            step: the number of batches trained so far.
            optimizer: the optimizer; by default that of the compiled model.

        Raises:
            OSError: if the checkpoint cannot be written and `on_failure` is
                "stop".
        """
        state = TrainingState.of(model, optimizer)
        values = state.values()
        if model.distribute_strategy.extended.should_checkpoint:
            with self._failure_handled(step):
                tf.io.gfile.makedirs(self._directory)
                checkpoint_file.write(
                    self._path(step), {**state.describe(), "step": step}, values
                )
                self._remove_others()
        self._saved = step

    def restore(
        self, model: Any, optimizer: Any = None, step: int | None = None
    ) -> int:
        """Restores a checkpoint, in a custom training loop.

        Args:
            model: the model, built and sparsified as when it was saved.
            optimizer: the optimizer; by default that of the compiled model.
            step: which of `steps` to restore; by default the newest.

        Returns:
            The number of batches trained so far, 0 if there is no checkpoint.

        Raises:
            ValueError: if the checkpoint is missing, damaged, or belongs to
                another model, optimizer or method.
        """
        steps = self.steps
        if step is None and not steps:
            return 0
        chosen = steps[-1] if step is None else step
        if chosen not in steps:
            raise ValueError(
                f"`step` must be one of {steps}, the checkpoints in "
                f"{self._directory!r}. Received: step={step}."
            )

        state = TrainingState.of(model, optimizer)
        try:
            state.restore(self._path(chosen))
        except DamagedFileError as error:
            raise ValueError(_damaged(error, chosen, steps)) from error

        logging.info("Training goes on from %s", self._path(chosen))
        return chosen

    def on_train_begin(self, logs: Any = None) -> None:
        """Restores the newest checkpoint."""
        del logs
        self._check_directory()
        self._batches = self._before_epoch = self._saved = self.restore(
            self.model
        )
        self._termination.begin()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Notes how many batches preceded the epoch."""
        del epoch, logs
        self._before_epoch = self._batches

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Saves every few batches, and exits after SIGTERM."""
        del logs
        self._batches = self._before_epoch + batch + 1
        if self._is_due(batch):
            self.save(self.model, self._batches)
        if self._batches >= self._total_batches():
            self.model.stop_training = True
        if self._termination.asked_for:
            self._terminate()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Saves, unless `save_every` is a number of batches."""
        del epoch, logs
        if self._save_every == "epoch":
            self.save(self.model, self._batches)

    def on_train_end(self, logs: Any = None) -> None:
        """Saves the final state, unless the newest checkpoint has it."""
        del logs
        if self._saved != self._batches:
            self.save(self.model, self._batches)
        self._termination.end()

    def _is_due(self, batch: int) -> bool:
        """Returns whether to save after a batch, numbered within its epoch."""
        waiting = self._batches - self._saved
        if self._save_every != "epoch":
            return waiting >= int(self._save_every)
        ends_epoch = batch + 1 == self.params.get("steps")
        return 0 < self._also_every <= waiting and not ends_epoch

    def _total_batches(self) -> float:
        """Returns the number of batches of the run, infinity if unknown."""
        if self.total_steps is not None:
            return self.total_steps
        steps = self.params.get("steps")
        return steps * self.params["epochs"] if steps else float("inf")

    def _terminate(self) -> None:
        several_workers = (
            self.model.distribute_strategy.extended._in_multi_worker_mode()
        )
        if self._saved != self._batches and not several_workers:
            self.save(self.model, self._batches)
        self._termination.end()
        raise SystemExit(_TERMINATED)

    def _path(self, step: int) -> str:
        return os.path.join(self._directory, _NAME.format(step=step))

    def _check_directory(self) -> None:
        """Makes the directory and raises a ValueError if it is not writable."""
        if not self.model.distribute_strategy.extended.should_checkpoint:
            return

        trial = os.path.join(
            self._directory, f"{atomic_files.DRAFT_PREFIX}{os.getpid()}"
        )

        try:
            tf.io.gfile.makedirs(self._directory)
            with tf.io.gfile.GFile(trial, "w") as file:
                file.write("")
            tf.io.gfile.remove(trial)
        except (OSError, tf.errors.OpError) as error:
            raise ValueError(
                "`directory` must be a directory that can be written. "
                f"Received: directory={self._directory!r}; {error}. Pass one "
                "in which you may write."
            ) from error

    def _remove_others(self) -> None:
        """Removes old checkpoints and the drafts of killed processes."""
        for step in self.steps[: -self._keep]:
            tf.io.gfile.remove(self._path(step))
        for name in tf.io.gfile.listdir(self._directory):
            if name.startswith(atomic_files.DRAFT_PREFIX):
                tf.io.gfile.remove(os.path.join(self._directory, name))

    @contextlib.contextmanager
    def _failure_handled(self, step: int) -> Iterator[None]:
        try:
            yield
        except (OSError, tf.errors.OpError) as error:
            steps = self.steps
            last = f"step {steps[-1]}" if steps else "none"
            message = (
                f"The checkpoint of step {step} could not be written to "
                f"{self._directory!r}; the last whole one is {last}: {error}"
            )
            if self._on_failure == "stop":
                raise OSError(message) from error
            warnings.warn(f"{message}. Training goes on.", stacklevel=3)


class _Termination:
    """Remembers whether SIGTERM was received during training."""

    def __init__(self) -> None:
        self.asked_for = False
        self._before: Any = None

    def begin(self) -> None:
        """Installs the signal handler, which only the main thread can do."""
        self.asked_for = False
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._note)

    def end(self) -> None:
        """Restores the former signal handler."""
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
            self._before = None

    def _note(self, number: int, frame: Any) -> None:
        del frame
        if self.asked_for:
            # An error has ended `fit`, so no batch has handled the first one.
            self.end()
            os.kill(os.getpid(), number)
        self.asked_for = True


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _damaged(error: DamagedFileError, step: int, steps: list[int]) -> str:
    before = [one for one in steps if one < step]
    offer = (
        f"The one before is of step {before[-1]}: restore(..., "
        f"step={before[-1]}), or remove the damaged file"
        if before
        else "There is no other; remove the file to begin anew"
    )
    return f"A checkpoint must be whole. Received: {error}. {offer}."
