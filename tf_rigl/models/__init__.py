"""Model builders for either Keras; they know nothing of sparsity."""
