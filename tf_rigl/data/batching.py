"""Ordering, sharding and batching of examples."""

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Batching:
    """Grouping of a data set's examples into batches.

    Without `context` a data set yields global batches of all examples. Pass
    these to `fit`, also under a strategy on one machine. With `context` it
    yields one worker's share of the examples, in batches for one replica:

    ```python
    def make(context):
        batching = Batching(1024, context=context)
        return imagenet.splits(batching, data_dir).train

    dataset = strategy.distribute_datasets_from_function(make)
    ```

    Attributes:
        batch_size: examples per step, over all replicas.
        seed: seed of the order and the augmentation, in [0, 2**31), the same in
            every worker.
        first_epoch: index of the epoch that the first pass yields or starts
            with. A program that resumes sets it to continue with the same
            batches.
        drop_remainder: whether evaluation also drops the incomplete last batch,
            so that its shapes are static. Training always drops it.
        endless: whether one pass over the training batches yields all epochs,
            without end, instead of one epoch. `fit` then needs
            `steps_per_epoch` and resumes exactly. Otherwise it does not, since
            that of Keras 3 starts two passes per epoch.
        context: the argument that a strategy passes to a function that makes
            data sets; None for all examples.

    Raises:
        ValueError: if a number is out of range, or the batch cannot be divided
            equally among the replicas.
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
        """Index of this input pipeline, from 0."""
        return self.context.input_pipeline_id if self.context else 0

    @property
    def local_size(self) -> int:
        """Number of examples in a batch of this input pipeline."""
        return self.batch_size // self._replicas

    def local_batches(self, examples: int) -> int:
        """Returns the batches per epoch, the same for every input pipeline.

        Raises:
            ValueError: if there are fewer examples than one batch needs.
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
