"""What the programs in `bin/` share: configuration, training, reports."""
