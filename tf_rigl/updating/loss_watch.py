"""Notices when the training loss jumps at a mask update and stays there.

Growth by the gradient of one batch can take steps that are too large, after
which a network does not recover: its loss goes back to where it began. The loss
is the one that Keras logs for each batch, a running mean over the epoch. Only
one number in `_BATCHES` of them is kept, and none is read before the epoch
ends, so that nothing waits for a device.
"""

import statistics
import threading
from collections import deque
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from tf_rigl.algorithms import Requirements
from tf_rigl.backend.keras_bindings import is_of_keras

# Batches of which one mean is judged.
_BATCHES = 20
# Batches for which the loss must stay where it has jumped to.
_STAYS = 100
# The loss has been down to this share of the first batches' before it jumps.
_LEARNED = 0.75
# It loses at least this share of what training has gained.
_LOST = 0.5
# Half of what was learned is more than so many times a rise by chance. Of
# losses that only fluctuate, drawn at random, 1 % or less warn within 3,000
# batches; 10 to 70 % would without this.
_ABOVE_NOISE = 5
# Rises that are remembered, for the noise may change during training.
_RISES = 50
# Batches before the jump in which masks must have been updated.
_SINCE_UPDATE = 100


class Stretch(NamedTuple):
    """The loss of some consecutive batches of one `fit`."""

    first: int  # number of the first batch, from 0
    end: int  # number of the last batch + 1
    loss: float  # mean over the batches


class Jump(NamedTuple):
    """A jump of the loss from which training has not recovered."""

    update: int  # number of the batch of the last mask update before it
    lowest: float  # the lowest loss before the jump
    loss: float  # the lowest loss since


class JumpFinder:
    """Finds the first jump among the stretches of a training, in their order.

    With L₀, the loss of the first batch, and the lowest so far, L, a loss has
    jumped that is at least L + (L₀ - L) / 2, so that half of what was learned
    is lost, if L was at most L₀ - |L₀| / 4 before. It has stayed there if all
    means of the next 100 batches are as high. The last mask update must have
    been at most 100 batches before.

    A loss that begins where it will stay has learned nothing, but fluctuates.
    So (L₀ - L) / 2 must also be more than five times the median of the latest
    rises from one mean to the next, those of the jump left out.
    """

    def __init__(self, first_loss: float) -> None:
        self._first_loss = first_loss
        self._lowest = first_loss
        self._last = first_loss
        self._number = 0  # of stretches
        # The latest rises from one stretch to the next, by the latter's number.
        self._rises: deque[tuple[int, float]] = deque(maxlen=_RISES)
        self._high: list[Stretch] = []  # those since the jump
        self._high_since = 0  # number of the first of them
        self._update: int | None = None  # the last before the jump

    def add(self, stretch: Stretch, last_update: int | None) -> Jump | None:
        """Adds a stretch; returns a jump if there was one that has stayed.

        `last_update` is the batch of the last mask update before the end of
        the stretch, None if there was none.
        """
        self._number += 1
        rise, self._last = stretch.loss - self._last, stretch.loss
        if rise > 0:
            self._rises.append((self._number, rise))

        first, lowest = self._first_loss, self._lowest
        learned = lowest <= first - (1 - _LEARNED) * abs(first)
        # A loss that is not a number is not higher than the limit.
        if not (learned and stretch.loss >= lowest + _LOST * (first - lowest)):
            self._lowest = min(lowest, stretch.loss)
            self._high = []
            return None

        if not self._high:
            self._update, self._high_since = last_update, self._number
        self._high.append(stretch)
        return self._judge()

    def _judge(self) -> Jump | None:
        """Returns the jump to `_high`, if it is one that has stayed."""
        start, end = self._high[0].first, self._high[-1].end
        lasts = len(self._high) > 1 and end - start >= _STAYS
        update = self._update
        if not lasts or update is None or start - update > _SINCE_UPDATE:
            return None

        # The stretch before may have had the first batches after the jump.
        jump = self._high_since - 1, self._high_since
        rises = [rise for number, rise in self._rises if number not in jump]
        noise = statistics.median(rises) if rises else 0.0
        lost = _LOST * (self._first_loss - self._lowest)
        if not lost > _ABOVE_NOISE * noise:
            return None
        return Jump(update, self._lowest, min(one.loss for one in self._high))


def suits(model: Any, requirements: Requirements) -> bool:
    """Returns whether a jump of the loss would be one of drop and grow.

    Pruning raises the loss as a matter of course. A `train_step` other than
    Keras's own may log another loss than the running mean.
    """
    moves = requirements.start != "dense" and requirements.latent is None
    return moves and is_of_keras(type(model).train_step)


class LossWatch:
    """Keeps the logged losses of a `fit` and looks for a jump at epochs' ends.

    Args:
        is_update: returns whether the batch of a number updates the masks;
            batches are numbered from 0 over all epochs of the `fit`.
    """

    def __init__(self, is_update: Callable[[int], bool]) -> None:
        self._is_update = is_update
        # Keras 3 calls hooks of batches in several threads.
        self._lock = threading.Lock()
        # Of the present epoch: the number of batches and the logged mean, by
        # the position of a stretch.
        self._logged: dict[int, tuple[int, Any]] = {}
        self._batches = 0  # in epochs that have ended
        self._last_update: int | None = None
        self._finder: JumpFinder | None = None

    def after_batch(self, batch: int, logs: Any) -> None:
        """Keeps the logged loss of a batch without reading it.

        `batch` is its number within the epoch, from 0. Batches may come in any
        order, and with several steps per execution some are left out.
        """
        if not isinstance(logs, Mapping) or "loss" not in logs:
            return
        with self._lock:
            # The first batch of all is a stretch of its own, L₀.
            offset = 0 if self._batches else _BATCHES - 1
            position, ended = (batch + offset) // _BATCHES, batch + 1
            if ended > self._logged.get(position, (0, None))[0]:
                self._logged[position] = ended, logs["loss"]

    def end_epoch(self) -> Jump | None:
        """Returns a jump that the epoch has shown, if any."""
        found = None
        for stretch in self._stretches():
            if self._finder is None:
                self._finder = JumpFinder(stretch.loss)
            for batch in range(stretch.first, stretch.end):
                if self._is_update(batch):
                    self._last_update = batch
            found = found or self._finder.add(stretch, self._last_update)

        self._batches += max(
            (end for end, _ in self._logged.values()), default=0
        )
        self._logged = {}
        return found

    def _stretches(self) -> Iterator[Stretch]:
        """Yields the stretches of the epoch, with means of their own."""
        end, total = 0, 0.0
        for new_end, logged in sorted(
            self._logged.values(), key=lambda one: one[0]
        ):
            new_total = new_end * float(logged)
            yield Stretch(
                self._batches + end,
                self._batches + new_end,
                (new_total - total) / (new_end - end),
            )
            end, total = new_end, new_total
