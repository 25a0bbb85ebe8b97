"""Networks for either Keras; they know nothing of sparsity.

Each builder takes the Keras to build with. The networks give logits, without a
softmax at the end; train them with a loss that takes logits.

```python
import keras
from tf_rigl.models import resnet

model = resnet.resnet(keras, depth=50)
```

`registry` finds them by name.
"""
