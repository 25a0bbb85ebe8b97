#!/usr/bin/env python3
"""Trains a language model of characters on text files, dense or sparse.

Examples:
    python bin/train_rnn.py --data_dir=wikitext-103-raw \
        --flagfile=configs/wikitext103_gru_rigl75.flags
    python bin/train_rnn.py --data_dir=my_text --model=character_lstm

`--dry_run` prints what would be trained; `--help` lists all flags. A run that
was killed goes on when the same command is given again.
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
