"""Small models of every kind, for either Keras.

Each builder takes the Keras module; `INPUT_SHAPES` says what it is fed.
"""

import tensorflow as tf

CLASSES = 3
INPUT_SHAPES = {
    "sequential": (20,),
    "transformer": (7, 8),
    "recurrent": (7, 5),
    "convolutions": (16, 16, 3),
    "convolutions_3d": (6, 6, 6, 2),
    "custom_layer": (20,),
    "shared_layer": (20,),
    "nested": (20,),
    "subclassed": (20,),
    "subclassed_unbuilt": (20,),
    "sequential_unbuilt": (20,),
    "time_distributed": (7, 20),
    "functional_subclass": (20,),
}


def build(name, keras):
    return globals()[name](keras)


def sequential(keras):
    return keras.Sequential(
        [
            keras.Input((20,)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(CLASSES),
        ]
    )


def recurrent(keras):
    layers = keras.layers
    inputs = keras.Input((7, 5))
    hidden = layers.Bidirectional(layers.LSTM(6, return_sequences=True))(inputs)
    hidden = layers.RNN([layers.SimpleRNNCell(5), layers.GRUCell(4)])(hidden)
    return keras.Model(inputs, layers.Dense(CLASSES)(hidden))


def transformer(keras):
    layers = keras.layers
    inputs = keras.Input((7, 8))
    attention = layers.MultiHeadAttention(2, 4)(inputs, inputs)
    hidden = layers.LayerNormalization()(layers.Add()([inputs, attention]))
    hidden = layers.Dense(16, activation="relu")(hidden)
    hidden = layers.GlobalAveragePooling1D()(layers.Dense(8)(hidden))
    return keras.Model(inputs, layers.Dense(CLASSES)(hidden))


def convolutions(keras):
    layers = keras.layers
    inputs = keras.Input((16, 16, 3))
    hidden = layers.Conv2D(8, 3, padding="same")(inputs)
    hidden = layers.SeparableConv2D(8, 3)(hidden)
    hidden = layers.DepthwiseConv2D(3)(hidden)
    hidden = layers.Conv2DTranspose(4, 3)(hidden)
    hidden = layers.BatchNormalization()(hidden)
    hidden = layers.Reshape((-1, 4))(hidden)
    hidden = layers.Conv1D(4, 3)(hidden)
    hidden = layers.Conv1DTranspose(4, 3)(hidden)
    hidden = layers.SeparableConv1D(4, 3)(hidden)
    hidden = layers.GlobalAveragePooling1D()(hidden)
    return keras.Model(inputs, layers.Dense(CLASSES)(hidden))


def convolutions_3d(keras):
    layers = keras.layers
    inputs = keras.Input((6, 6, 6, 2))
    hidden = layers.Conv3DTranspose(4, 3)(layers.Conv3D(4, 3)(inputs))
    return keras.Model(inputs, layers.Dense(CLASSES)(layers.Flatten()(hidden)))


def _projection(keras):
    """A custom layer with a weight of its own and a layer inside."""

    class Projection(keras.layers.Layer):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.inner = keras.layers.Dense(4)

        def build(self, input_shape):
            self.projection = self.add_weight(
                name="projection",
                shape=(input_shape[-1], self.units),
                initializer="glorot_uniform",
            )
            self.inner.build((input_shape[0], self.units))
            self.built = True

        def call(self, inputs):
            return self.inner(tf.matmul(inputs, self.projection))

        def get_prunable_weights(self):
            return [self.projection]

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    return keras.saving.register_keras_serializable("tests")(Projection)


def custom_layer(keras):
    inputs = keras.Input((20,))
    hidden = _projection(keras)(12)(inputs)
    return keras.Model(inputs, keras.layers.Dense(CLASSES)(hidden))


def shared_layer(keras):
    inputs = keras.Input((20,))
    shared = keras.layers.Dense(20)
    return keras.Model(
        inputs, keras.layers.Dense(CLASSES)(shared(shared(inputs)))
    )


def nested(keras):
    layers = keras.layers
    inputs = keras.Input((20,))
    first = keras.Sequential(
        [layers.Dense(16, activation="relu"), layers.Dense(12)]
    )
    middle = keras.Input((12,))
    second = keras.Model(middle, layers.Dense(9)(middle))
    return keras.Model(inputs, layers.Dense(CLASSES)(second(first(inputs))))


def _branching(keras):
    class Branching(keras.Model):
        """Layers in lists and dicts and a model within."""

        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            layers = keras.layers
            self.blocks = [
                layers.Dense(12, activation="relu"),
                layers.Dense(12),
            ]
            self.heads = {
                "a": layers.Dense(CLASSES),
                "b": layers.Dense(CLASSES),
            }
            self.middle = keras.Sequential(
                [layers.Dense(7), layers.BatchNormalization()]
            )

        def call(self, inputs, training=None):
            for block in self.blocks:
                inputs = block(inputs)
            inputs = self.middle(inputs, training=training)
            return self.heads["a"](inputs) + self.heads["b"](inputs)

    return keras.saving.register_keras_serializable("tests")(Branching)


def of_layers(keras, call, name="subclassed", **layers):
    """A subclassed model of some layers, which `call` finds on itself."""

    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__(name=name)
            for attribute, layer in layers.items():
                setattr(self, attribute, layer)

        def call(self, inputs):
            return call(self, inputs)

    return Subclassed()


def subclassed(keras):
    model = subclassed_unbuilt(keras)
    model(tf.zeros((2, 20)))
    return model


def subclassed_unbuilt(keras):
    return _branching(keras)()


def sequential_unbuilt(keras):
    return keras.Sequential(
        [
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(CLASSES),
        ]
    )


def time_distributed(keras):
    layers = keras.layers
    inputs = keras.Input((7, 20))
    hidden = layers.TimeDistributed(layers.Dense(9))(inputs)
    return keras.Model(inputs, layers.Dense(CLASSES)(layers.Flatten()(hidden)))


def functional_subclass(keras):
    class Trained(keras.Model):
        def train_step(self, data):
            return super().train_step(data)

    keras.saving.register_keras_serializable("tests")(Trained)
    inputs = keras.Input((20,))
    hidden = keras.layers.Dense(11)(inputs)
    return Trained(inputs, keras.layers.Dense(CLASSES)(hidden))
