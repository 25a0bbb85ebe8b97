"""Input pipelines; they know nothing of sparsity."""
