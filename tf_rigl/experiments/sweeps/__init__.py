"""Sweeps: one experiment by several methods, at sparsities, over seeds."""
