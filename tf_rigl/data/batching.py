"""Order, sharing among workers and batching of examples."""

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Batching:
    """The rule by which the examples of a data set become batches.

    Without `context` a data set gives whole batches of all examples, which is
    what `fit` takes, also in the scope of a strategy on one machine. With it,
    a data set gives the share of one worker, in batches for one replica:

    ```python
    def make(context):
        batching = Batching(1024, context=context)
        return imagenet.splits(batching, data_dir).train

    dataset = strategy.distribute_datasets_from_function(make)
    ```

    Attributes:
        batch_size: examples of one step, of all replicas together.
        seed: of the order and the augmentation, in [0, 2**31). Every worker
            takes the same.
        first_epoch: number of the epoch that the first pass is, or begins
            with. A program that resumes sets it to get what it would have got.
        drop_remainder: whether evaluation leaves out the incomplete last
            batch, too, so that its shapes are static. Training always does.
        endless: whether a pass over the training batches has all epochs,
            without end, in place of the next one. `fit` then needs
            `steps_per_epoch`, and resumes exactly, which it does not
            otherwise: that of Keras 3 begins two passes for each epoch.
        context: what a strategy passes to a function that makes data sets;
            None for a data set of all examples.

    Raises:
        ValueError: if a number is out of range, or the replicas can't have
            batches of the same size.
    """

    batch_size: int
    seed: int = 0
    first_epoch: int = 0
    drop_remainder: bool = False
    endless: bool = False
    context: tf.distribute.InputContext | None = None

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(
                "`batch_size` must be positive. "
                f"Received: batch_size={self.batch_size}."
            )
        if not 0 <= self.seed < 2**31:
            raise ValueError(
                f"`seed` must be in [0, 2**31). Received: seed={self.seed}."
            )

        if self.first_epoch < 0:
            raise ValueError(
                "`first_epoch` must not be negative. "
                f"Received: first_epoch={self.first_epoch}."
            )

        if self.batch_size % self._replicas:
            raise ValueError(
                "`batch_size` must be a multiple of the number of replicas. "
                f"Received: batch_size={self.batch_size} for "
                f"{self._replicas} replicas."
            )

    @property
    def shares(self) -> int:
        """Number of input pipelines that share the examples."""
        return self.context.num_input_pipelines if self.context else 1

    @property
    def share(self) -> int:
        """Number of this one, from 0."""
        return self.context.input_pipeline_id if self.context else 0

    @property
    def local_size(self) -> int:
        """Examples in a batch of this input pipeline."""
        return self.batch_size // self._replicas

    def local_batches(self, examples: int) -> int:
        """Counts the batches of an epoch, the same in every input pipeline.

        Raises:
            ValueError: if there would be none.
        """
        # A worker with several replicas feeds all of them in each step.
        replicas = max(1, self._replicas // self.shares)
        steps = examples // self.shares // (self.local_size * replicas)
        if not steps:
            raise ValueError(
                "`batch_size` must not exceed the number of training "
                f"examples. Received: batch_size={self.batch_size} for "
                f"{examples} examples. Choose a smaller batch."
            )
        return steps * replicas

    @property
    def _replicas(self) -> int:
        return self.context.num_replicas_in_sync if self.context else 1
