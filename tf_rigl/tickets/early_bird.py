"""The callback that finds early-bird tickets while a network is trained."""

import os
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend.callback import ModelCallback
from tf_rigl.checkpointing import optimizer_state
from tf_rigl.core import checks
from tf_rigl.core import early_bird
from tf_rigl.tickets import mask_series
from tf_rigl.tickets import scales


class EarlyBird(ModelCallback):
    """Stops a training once the channels to prune no longer change.

    Before each epoch the channels are ranked by |γ|, the scales of all
    normalization layers together, and a mask leaves out the smallest. Once
    masks of several epochs differ in few channels, the newest is that of the
    early-bird ticket: the network with the channels that are left, which
    trains on from here about as well as one that is pruned at the end. Train
    with a large learning rate, and with a penalty on the scales.

    Where the mask before an epoch is found to be a ticket, the epoch is not
    trained: training ends with the one before it. Only where the very first
    mask of a `fit` makes the ticket, Keras trains one batch, as nothing can
    stop it sooner; look at `epoch` before `fit` if a file may hold a ticket.

    A `fit` with an `initial_epoch` goes on with the queue; one that begins with
    epoch 0 begins anew. The queue has epochs that follow each other, and begins
    again after a gap.

    Args:
        ratio: fraction of the channels to prune, in (0, 1).
        threshold: the distance of two masks, the fraction of channels that are
            in one only, that counts as no change.
        window: length of the queue, at least 1.
        compare: `"window"`: of the last `window` masks, the newest differs from
            each of the others by at most the threshold, so the earliest epoch
            is window - 1. That is the published code. `"consecutive"`: each of
            the last `window` distances of masks of consecutive epochs is below
            the threshold, the earliest epoch is `window`. That is the paper.
        stop: whether to stop the training there. Several callbacks, with a
            ratio each, see all of it with stop=False.
        preset: by default exactly floor(ratio · channels) are pruned, of equal
            scales those of the first channels. `"reference"` prunes, as the
            published code does, all up to the one of that number: one more, and
            all of them while scales are equal, as those of a new network.
        path: path of a file to which masks are written before each epoch, local
            or supported by `tf.io.gfile`, and from which a run that was killed
            goes on in the middle of the queue. Workers must share it; the chief
            writes. By default they are in memory only.

    Raises:
        ValueError: if an argument is out of range or the file is of another
            ratio or preset; when training begins, if the model is not built,
            none of its normalization layers has a scale, or masks before
            `initial_epoch` are of another model.
        FloatingPointError: during training, if a scale is not finite.

    Example:
        >>> ticket = tf_rigl.EarlyBird(0.5)
        >>> model.fit(data, epochs=160, callbacks=[ticket])
        >>> ticket.epoch, ticket.masks["block_1/norm/gamma"].sum()

    Reference: You et al., "Drawing Early-Bird Tickets: Towards More Efficient
    Training of Deep Networks", ICLR 2020, arXiv:1909.11957, section 3.
    """

    # Scales are read between epochs.
    async_safe = False

    def __init__(
        self,
        ratio: float,
        *,
        threshold: float = 0.1,
        window: int = 5,
        compare: str = "window",
        stop: bool = True,
        preset: str | None = None,
        path: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__()
        checks.check_fraction("ratio", ratio, "the fraction to prune")
        if ratio in (0, 1):
            raise ValueError(
                "`ratio` must leave and prune channels, in (0, 1). Received: "
                f"ratio={ratio}. For half of the channels pass 0.5."
            )
        checks.check_fraction(
            "threshold", threshold, "a fraction of the channels"
        )
        checks.check_positive("window", window)
        checks.check_choice("compare", compare, early_bird.COMPARES)
        checks.check_choice("preset", preset, early_bird.PRESETS)
        self._ratio = ratio
        self._queue = (threshold, window, compare)
        self._stop = stop
        self._preset = preset
        self._series = mask_series.MaskSeries(
            path, {"ratio": float(ratio), "preset": preset}
        )
        self._epoch = self._emergence()
        # Those of the present `fit`.
        self._scales: dict[str, tf.Variable] | None = None

    @property
    def epoch(self) -> int | None:
        """The epoch before which the ticket was found, None if not yet."""
        return self._epoch

    @property
    def epochs(self) -> list[int]:
        """The epochs before which masks were taken, ascending.

        After the last epoch of a training it has the next one, too.
        """
        return list(self._series.epochs)

    @property
    def distances(self) -> np.ndarray:
        """Distances of each two masks, float64 [epochs, epochs]."""
        return early_bird.distances(self._series.stacked())

    @property
    def masks(self) -> dict[str, np.ndarray] | None:
        """Masks of the ticket, None if there is none yet.

        For each BatchNormalization layer that has a scale, the channels that
        are kept: bool [channels], by the path of its γ.
        """
        return None if self._epoch is None else self.masks_at(self._epoch)

    def masks_at(self, epoch: int) -> dict[str, np.ndarray]:
        """Returns the masks before an epoch, as `masks`.

        Raises:
            ValueError: if it is not one of `epochs`.
        """
        checks.check_choice("epoch", epoch, self._series.epochs)
        return self._series.by_path(self._series.epochs.index(epoch))

    def on_train_begin(self, logs: Any = None) -> None:
        """Forgets the scales of an earlier `fit`."""
        del logs
        self._scales = None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Takes the mask before the first epoch.

        By now other callbacks have restored a checkpoint, and Keras says which
        epoch it is.
        """
        del logs
        if self._scales is not None:
            return
        found = scales.find_scales(self.model)
        step = optimizer_state.steps_taken(self.model.optimizer)
        sizes = {path: one.shape[0] for path, one in found.items()}
        self._series.begin(epoch, step, sizes)
        self._epoch = self._emergence()
        if self._series.epochs[-1:] != [epoch]:
            self._take(epoch, found)
        self._scales = found
        self._stop_if_found()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Takes the mask before the next epoch."""
        del logs
        if self._scales is not None:
            self._take(epoch + 1, self._scales)
            self._stop_if_found()

    def _take(self, epoch: int, found: dict[str, tf.Variable]) -> None:
        values = np.concatenate([one.numpy() for one in found.values()])
        mask = early_bird.scale_mask(values, self._ratio, self._preset)
        step = optimizer_state.steps_taken(self.model.optimizer)
        self._series.add(epoch, step, mask)
        self._epoch = self._emergence()
        if self.model.distribute_strategy.extended.should_checkpoint:
            self._series.save()

    def _emergence(self) -> int | None:
        return early_bird.emergence(
            self._series.epochs, self._series.stacked(), *self._queue
        )

    def _stop_if_found(self) -> None:
        if self._stop and self._epoch is not None:
            self.model.stop_training = True
