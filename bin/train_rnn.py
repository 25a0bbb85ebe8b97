#!/usr/bin/env python3
"""Trains a character language model on text files, dense or sparse.

Examples:
    python bin/train_rnn.py --data_dir=wikitext-103-raw \
        --flagfile=configs/wikitext103_gru_rigl75.flags
    python bin/train_rnn.py --data_dir=my_text --model=character_lstm

`--dry_run` describes the run without training; `--help` lists all flags. The
same command resumes a run that was killed.
"""

from tf_rigl.experiments.commands import train

DEFAULTS = {
    "model": "character_gru",
    "data": "text",
    "sparsity": 0.75,
    "batch_size": 32,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "schedule": "cosine",
}

if __name__ == "__main__":
    train.start(DEFAULTS, "runs/rnn", __doc__)
