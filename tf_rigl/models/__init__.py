"""Networks for either Keras; they know nothing of sparsity.

Each builder takes the Keras to build with:

```python
import keras
from tf_rigl.models import resnet

model = resnet.resnet(keras, depth=50)
```

`registry` finds them by name.
"""
