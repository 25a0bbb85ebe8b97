"""A callback base class that works with both Keras flavors."""

from collections.abc import Mapping
from typing import Any


class ModelCallback:
    """Base of callbacks for both Keras flavors, whose hooks do nothing.

    Neither Keras requires a subclass of its own `Callback`; both only call
    these methods. Importing this module therefore imports no Keras.
    """

    # Lets Keras 2 pass tensors in the logs of batches.
    _supports_tf_logs = True
    # Lets Keras 3 continue without waiting for the callback.
    async_safe = True

    def __init__(self) -> None:
        self.params: Mapping[str, Any] = {}
        self.model: Any = None

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Stores the `epochs`, `steps` and `verbose` that Keras passes."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Stores the model that Keras passes."""
        self.model = model

    def _implements_train_batch_hooks(self) -> bool:
        """Tells Keras 2, which asks, whether to call the hooks of batches."""
        return hasattr(type(self), "on_train_batch_end")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("on_"):
            return lambda *args, **kwargs: None
        if name.startswith("_implements_"):
            return lambda: False
        raise AttributeError(name)
