"""Input pipelines, which are independent of sparsity.

Each data set is a module with `describe`, which returns its size, and `splits`,
which makes its batches; `registry` looks them up by name.

```python
from tf_rigl.data import cifar
from tf_rigl.data.batching import Batching

splits = cifar.splits(Batching(128, seed=0), name="cifar10")
model.fit(splits.train, validation_data=splits.evaluation)
```
"""
