"""The length of a run, in steps."""

from typing import NamedTuple

from tf_rigl.data.datasets import DataInfo
from tf_rigl.experiments.runs.settings import RunSettings


class RunPlan(NamedTuple):
    """The lengths and events of a run, in optimizer steps."""

    per_epoch: int  # steps of an epoch
    epochs: int
    start_step: int  # the step at which gradual pruning starts
    stop_step: int  # the step from which on masks do not change
    warmup_steps: int
    decay_steps: tuple[int, ...]  # the steps at which the learning rate drops
    per_pass: int  # steps of a pass over the training examples

    @property
    def total(self) -> int:
        """The number of steps of the whole run."""
        return self.per_epoch * self.epochs


class Stretch(NamedTuple):
    """Consecutive epochs of a run with the same number of steps."""

    first_epoch: int
    end_epoch: int  # the epoch after the last one
    first_step: int  # counted from the start of the run
    steps_per_epoch: int


def make_plan(settings: RunSettings, info: DataInfo) -> RunPlan:
    """Counts the steps of a run.

    Raises:
        ValueError: if a batch is larger than the training set, or the steps
            of an epoch are not a multiple of `steps_per_execution`.
    """
    per_pass = info.train_examples // settings.batch_size
    if not per_pass:
        raise ValueError(
            "`batch_size` must not exceed the number of training examples. "
            f"Received: batch_size={settings.batch_size} for "
            f"{info.train_examples:,} examples of data={settings.data!r}. "
            "Choose a smaller batch."
        )

    per_epoch = settings.steps_per_epoch or per_pass
    _check_executions(settings.steps_per_execution, per_epoch)

    total = per_epoch * settings.total_epochs
    return RunPlan(
        per_epoch=per_epoch,
        epochs=settings.total_epochs,
        start_step=round(settings.start_fraction * total),
        # At least 1, so that even a very short run updates its masks.
        stop_step=max(1, round(settings.stop_fraction * total)),
        warmup_steps=round(settings.warmup_epochs * per_epoch),
        decay_steps=tuple(
            round(epoch * settings.multiplier * per_epoch)
            for epoch in settings.decay_epochs
        ),
        per_pass=per_pass,
    )


def remaining(plan: RunPlan, done: int) -> list[Stretch]:
    """Lists the epochs that are left of a run after `done` steps.

    Returns:
        The rest of an interrupted epoch, if there is one, and the epochs
        after it, if there are any.
    """
    epoch, offset = divmod(done, plan.per_epoch)
    stretches = []
    if offset:
        rest = plan.per_epoch - offset
        stretches.append(Stretch(epoch, epoch + 1, done, rest))
        epoch += 1
    if epoch < plan.epochs:
        first_step = epoch * plan.per_epoch
        stretches.append(
            Stretch(epoch, plan.epochs, first_step, plan.per_epoch)
        )
    return stretches


def check_resumable(plan: RunPlan, done: int, steps_per_execution: int) -> None:
    """Raises a ValueError if the rest of an epoch is not whole executions."""
    for stretch in remaining(plan, done):
        _check_executions(steps_per_execution, stretch.steps_per_epoch)


def _check_executions(steps_per_execution: int, steps: int) -> None:
    if steps % steps_per_execution:
        raise ValueError(
            "The steps of an epoch, or what is left of one, must be a multiple "
            "of `steps_per_execution`, or steps would be taken twice. "
            f"Received: steps_per_execution={steps_per_execution} for {steps} "
            "steps. Set `steps_per_epoch` to a multiple, or choose a divisor."
        )
