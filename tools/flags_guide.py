"""The groups of the flags of `tf-rigl train`, and when to change each.

What a flag does and its default are told by its program; see `flags_page`.
"""

# By the title of a group, the flags in it; by the flag, when to change it.
TRAIN = {
    "Network and data": {
        "model": "for another network of ours, or your own function",
        "width": "for a smaller or larger network of the same kind",
        "dropout": "against overfitting, for the networks that have it",
        "kernel_initializer": "to repeat a published recipe; `signed_kaiming` "
        "for `--method=edge_popup`",
        "data": "for another data set, or your own function; see "
        "[data](data.md)",
        "data_dir": "if the data is elsewhere; required for `--data=text`",
        "download": "once, on a machine with a network",
        "augment": "`--noaugment` to repeat a published recipe",
        "validation_examples": "to choose settings, steps or tickets without "
        "the test data",
        "image_size": "for smaller images, which are cheaper",
        "sequence_length": "for text: longer windows remember more and take "
        "more memory",
        "vocabulary_size": "for scripts with many characters",
    },
    "Sparsity and method": {
        "method": "see [methods](methods.md)",
        "sparsity": "to trade accuracy for size and FLOPs",
        "distribution": "`erk` keeps accuracy; `uniform` saves more FLOPs of "
        "convolutions",
        "budget": "`reference` to count as published tables do",
        "dense_layers": "for layers that are small or suffer from zeros, such "
        "as the first one with `--distribution=uniform`",
        "storage": "`auto` to [train faster](compressed_training.md) on one "
        "CPU",
        "update_interval": "smaller for short runs, so that there are enough "
        "updates",
        "drop_fraction": "smaller if accuracy falls after updates",
        "start_fraction": "later, so that the dense network learns first",
        "stop_fraction": "earlier, to leave more steps to the final masks",
        "ablation_threshold": "0 so that no unit is ablated",
        "slimming_strength": "1e-5 for residual networks, as in the paper",
    },
    "Factors": {
        "rank_scale": "for layers of thin factors in place of large kernels; "
        "see [factorized layers](factorize.md)",
        "frobenius_decay": "in place of `--weight_decay` where networks are "
        "normalized",
    },
    "Training of the weights": {
        "keras": "to get a model of tf_keras",
        "precision": "mixed precisions are faster on accelerators",
        "seed": "to repeat a run with other random numbers",
        "epochs": "sparse networks gain from longer training",
        "multiplier": "to lengthen a run with its whole schedule",
        "batch_size": "to fit the memory; change the learning rate with it",
        "optimizer": "`adam` for recurrent networks",
        "learning_rate": "lower if the loss rises or is not finite",
        "schedule": "`step` to repeat a published recipe",
        "warmup_epochs": "for large batches, whose first steps are unstable",
        "decay_epochs": "with `--schedule=step`, which needs it",
        "decay_factor": "with `--schedule=step`",
        "momentum": "0 saves a slot a weight",
        "weight_decay": "against overfitting",
        "clip_norm": "for recurrent networks, whose gradients may explode",
        "label_smoothing": "0.1 is usual for ImageNet",
        "steps_per_epoch": "for evaluations and checkpoints within long passes",
    },
    "Execution and devices": {
        "steps_per_execution": "more where a step is short, as on a TPU",
        "evaluation_steps": "to save time in trials",
        "strategy": "for more than one device; see "
        "[many devices](distribution.md)",
        "devices": "to leave some devices to others",
        "tpu": "with `--strategy=tpu`",
    },
    "The run": {
        "output_dir": "a new folder for each run",
        "dry_run": "before a long run",
        "checkpoint_every": "if an epoch takes longer than you want to lose",
        "evaluate_every": "more if evaluation takes a large share of the time",
        "metrics_every": "to see the loss within long epochs",
        "tensorboard": "`--notensorboard` to write fewer files",
        "export": "`--noexport` if only the numbers matter",
        "compare_dense": "for a table of the sparse against the dense network",
        "report": "for a page of curves and masks",
    },
}
