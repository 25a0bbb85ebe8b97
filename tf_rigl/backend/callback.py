"""A callback for either Keras."""

from collections.abc import Mapping
from typing import Any


class ModelCallback:
    """A callback for either Keras: all of its hooks, none of which acts.

    Neither Keras asks for a subclass of its own `Callback`; both call these
    methods. So importing this module imports no Keras.
    """

    # Keras 2 may pass tensors in the logs of batches.
    _supports_tf_logs = True
    # Keras 3 need not wait for it between batches.
    async_safe = True

    def __init__(self) -> None:
        self.params: Mapping[str, Any] = {}
        self.model: Any = None

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Called by Keras with `epochs`, `steps` and `verbose`."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Called by Keras with the model."""
        self.model = model

    def __getattr__(self, name: str) -> Any:
        if name.startswith("on_"):
            return lambda *args, **kwargs: None
        if name.startswith("_implements_"):
            return lambda: False
        raise AttributeError(name)
