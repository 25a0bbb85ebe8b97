"""One engine that trains every network of the experiments."""
