"""Networks for both Keras flavors, which are independent of sparsity.

Each builder takes the Keras module to build with. The networks return logits
without a softmax, so train them with a loss that accepts logits.

```python
import keras
from tf_rigl.models import resnet

model = resnet.resnet(keras, depth=50)
```

`registry` looks them up by name.
"""
