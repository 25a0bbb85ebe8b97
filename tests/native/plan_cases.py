"""Random networks for plans."""

import math

import numpy as np

from tests.native import plan_attention_cases
from tests.native import plan_recurrent_cases
from tf_rigl.native.plan_graph import ACTIVATIONS
from tf_rigl.native.plan_graph import Graph
from tf_rigl.native.plan_graph import Operation

KINDS = (
    "dense",
    "convolution",
    "depthwise",
    "pool",
    "global_pool",
    "pad",
    "affine",
    "add",
    "multiply",
    "activation",
    "concatenate",
    "reshape",
    "constant",
    "normalize",
    "transpose",
    "slice",
    "embedding",
    "attention",
    "matrix_product",
    "recurrence",
)
OF_IMAGES = ("convolution", "depthwise", "pool", "global_pool", "pad")


class Network:
    """A network that grows by random operations on values that it has."""

    def __init__(self, random, *shapes):
        self.random = random
        self.shapes = list(shapes)
        self.inputs = tuple(range(len(shapes)))
        self.operations = []

    def graph(self, *outputs):
        return Graph(
            tuple(self.shapes),
            self.inputs,
            outputs or (len(self.shapes) - 1,),
            tuple(self.operations),
        )

    def choose(self, *choices):
        return choices[self.random.integers(len(choices))]

    def integer(self, low, high):
        return int(self.random.integers(low, high + 1))

    def value(self, images_only=False):
        """A value; a late one with more chances."""
        good = [
            i
            for i, shape in enumerate(self.shapes)
            if not images_only or len(shape) > 1
        ]
        return good[max(self.integer(0, len(good) - 1) for _ in range(3))]

    def kernel(self, *shape, fan):
        """Zeros for some densities, and some outputs without any."""
        density = self.choose(0.0, 0.05, 0.1, 0.3, 0.6, 1.0, 1.0)
        kernel = self.random.normal(size=shape) / math.sqrt(
            max(1, fan * density)
        )
        kernel[self.random.random(shape) >= density] = 0
        if density < 1:
            kernel *= self.random.random(shape[-1]) > 0.1
        return kernel.astype(np.float32)

    def floats(self, count):
        return self.random.normal(size=count).astype(np.float32)

    def add(self, kind, inputs, shape, attributes=None, arrays=None):
        self.shapes.append(tuple(map(int, shape)))
        self.operations.append(
            Operation(
                kind,
                f"{kind}_{len(self.operations)}",
                tuple(inputs),
                len(self.shapes) - 1,
                attributes or {},
                arrays or {},
            )
        )
        return len(self.shapes) - 1

    def activation(self):
        name = self.choose(*ACTIVATIONS)
        given = {"activation": name}
        if name == "leaky_relu":
            given["negative_slope"] = 0.2
        return given

    def grow(self, kind):
        """Adds an operation of that kind, or of another if none is possible."""
        has_image = any(len(shape) > 1 for shape in self.shapes)
        if kind in OF_IMAGES and not has_image:
            return self.dense()
        return getattr(self, kind if kind != "activation" else "activate")()

    def dense(self):
        value = self.value()
        *space, inputs = self.shapes[value]
        outputs = self.integer(1, 70)
        arrays = {"kernel": self.kernel(inputs, outputs, fan=inputs)}
        if self.random.random() < 0.7:
            arrays["bias"] = self.floats(outputs)
        shape = (*space, outputs)
        return self.add("dense", (value,), shape, self.activation(), arrays)

    def window(self, space, dilated=True):
        """Random attributes of windows, and how many there are of them."""
        dilation = [self.choose(1, 1, 1, 2, 3) if dilated else 1 for _ in space]
        size = [self.integer(1, 4) for _ in space]
        strides = [self.choose(1, 1, 1, 2, 2, 3)] * len(space)
        padding, counts = [], []
        for i, length in enumerate(space):
            reach = (size[i] - 1) * dilation[i] + 1
            if reach > length or self.random.random() < 0.6:  # "same"
                count = -(-length // strides[i])
                total = max((count - 1) * strides[i] + reach - length, 0)
                padding.append((total // 2, total - total // 2))
            else:
                limit = 0 if not dilated else 5
                padding.append((self.integer(0, limit), self.integer(0, limit)))
            left = length + sum(padding[i]) - reach
            counts.append(left // strides[i] + 1)
        return size, strides, dilation, padding, counts

    def convolution(self, depthwise=False):
        value = self.value(images_only=True)
        *space, channels = self.shapes[value]
        size, strides, dilation, padding, counts = self.window(space)
        given = {"strides": strides, "padding": padding, "dilation": dilation}
        if depthwise:
            last = (channels, self.choose(1, 1, 2, 3))
            outputs, fan = math.prod(last), math.prod(size)
        else:
            possible = [g for g in range(1, 9) if channels % g == 0]
            groups = self.choose(1, *possible)
            outputs = groups * self.integer(1, 18)
            last = (channels // groups, outputs)
            fan = math.prod(size) * last[0]
            if groups > 1 or self.random.random() < 0.5:
                given["groups"] = groups
        arrays = {"kernel": self.kernel(*size, *last, fan=fan)}
        if self.random.random() < 0.7:
            arrays["bias"] = self.floats(outputs)
        shape = (*counts, outputs)
        inputs = [value]
        same = [i for i, other in enumerate(self.shapes) if other == shape]
        if same and self.random.random() < 0.7:
            inputs.append(self.choose(*same))
        kind = "depthwise" if depthwise else "convolution"
        return self.add(kind, inputs, shape, given | self.activation(), arrays)

    def depthwise(self):
        return self.convolution(depthwise=True)

    def pool(self):
        value = self.value(images_only=True)
        *space, channels = self.shapes[value]
        size, strides, _, padding, counts = self.window(space, dilated=False)
        given = {
            "mode": self.choose("max", "average"),
            "size": size,
            "strides": strides,
            "padding": padding,
        }
        if any(max(p) >= k for p, k in zip(padding, size, strict=True)):
            return self.global_pool()
        return self.add("pool", (value,), (*counts, channels), given)

    def global_pool(self):
        value = self.value(images_only=True)
        *space, channels = self.shapes[value]
        keep = self.random.random() < 0.5
        given = {
            "mode": self.choose("max", "average"),
            "keep_dimensions": keep,
        }
        shape = (*(1 for _ in space if keep), channels)
        return self.add("global_pool", (value,), shape, given)

    def pad(self):
        value = self.value(images_only=True)
        *space, channels = self.shapes[value]
        padding = [(self.integer(0, 3), self.integer(0, 3)) for _ in space]
        shape = [n + sum(p) for n, p in zip(space, padding, strict=True)]
        return self.add(
            "pad", (value,), (*shape, channels), {"padding": padding}
        )

    def affine(self):
        value = self.value()
        channels = self.shapes[value][-1]
        arrays = {name: self.floats(channels) for name in ("scale", "offset")}
        return self.add(
            "affine", (value,), self.shapes[value], self.activation(), arrays
        )

    def combine(self, kind):
        first = self.value()
        shape = self.shapes[first]

        def fits(other):
            return len(other) == len(shape) and all(
                a in (1, b) for a, b in zip(other, shape, strict=True)
            )

        fitting = [i for i, other in enumerate(self.shapes) if fits(other)]
        others = [self.choose(*fitting) for _ in range(self.integer(1, 2))]
        inputs = self.random.permutation([first, *others]).tolist()
        return self.add(kind, inputs, shape, self.activation())

    # Not named `add`, which adds any operation.
    def multiply(self):
        return self.combine("multiply")

    def activate(self):
        value = self.value()
        return self.add(
            "activation", (value,), self.shapes[value], self.activation()
        )

    def concatenate(self):
        first = self.value()
        shape = self.shapes[first]
        axis = self.choose(len(shape) - 1, *range(len(shape)))
        others = (*shape[:axis], *shape[axis + 1 :])
        fitting = [
            i
            for i, s in enumerate(self.shapes)
            if len(s) == len(shape) and (*s[:axis], *s[axis + 1 :]) == others
        ]
        others = [self.choose(*fitting) for _ in range(self.integer(0, 2))]
        inputs = (first, *others)
        joined = sum(self.shapes[i][axis] for i in inputs)
        if joined > 200:
            return self.activate()
        made = (*shape[:axis], joined, *shape[axis + 1 :])
        return self.add("concatenate", inputs, made, {"axis": axis})

    def constant(self):
        """A constant, and its sum with a value of the same shape."""
        value = self.value()
        shape = self.shapes[value]
        array = self.random.normal(size=shape).astype(np.float32)
        made = self.add("constant", (), shape, {}, {"value": array})
        return self.add("add", (value, made), shape)

    def normalize(self):
        value = self.value()
        channels = self.shapes[value][-1]
        names = [n for n in ("scale", "offset") if self.random.random() < 0.7]
        given = {"epsilon": 1e-3, "is_centered": self.random.random() < 0.7}
        arrays = {name: self.floats(channels) for name in names}
        return self.add(
            "normalize", (value,), self.shapes[value], given, arrays
        )

    def transpose(self):
        value = self.value()
        shape = self.shapes[value]
        order = self.random.permutation(len(shape)).tolist()
        made = [shape[axis] for axis in order]
        return self.add("transpose", (value,), made, {"order": order})

    def slice(self):
        value = self.value()
        *space, channels = self.shapes[value]
        starts = [self.integer(0, size - 1) for size in space]
        strides = [self.integer(1, 3) for _ in space]
        counts = [
            self.integer(1, (size - 1 - start) // stride + 1)
            for size, start, stride in zip(space, starts, strides, strict=True)
        ]
        given = {"starts": starts, "strides": strides}
        return self.add("slice", (value,), (*counts, channels), given)

    def embedding(self):
        fitting = [i for i in self.inputs if len(self.shapes[i]) < 3]
        if not fitting:
            return self.normalize()
        value = self.choose(*fitting)
        width = self.integer(1, 40)
        table = self.kernel(self.integer(1, 30), width, fan=1)
        shape = (*self.shapes[value], width)
        return self.add("embedding", (value,), shape, {}, {"table": table})

    def attention(self):
        return plan_attention_cases.add_attention(self)

    def matrix_product(self):
        return plan_attention_cases.add_matrix_product(self)

    def reshape(self):
        value = self.value()
        count = math.prod(self.shapes[value])
        divisors = [d for d in range(1, count + 1) if count % d == 0]
        a = self.choose(*divisors)
        b = self.choose(*[d for d in divisors if (count // a) % d == 0])
        shape = self.choose(
            (count,), (1, 1, count), (a, count // a), (a, b, count // a // b)
        )
        return self.add("reshape", (value,), shape)

    def recurrence(self):
        return plan_recurrent_cases.add_recurrence(self)


def random_network(seed, kinds, inputs=1):
    """Returns a network whose last operations are of these kinds.

    Args:
        seed: of everything.
        kinds: the kinds of the operations, in their order.
        inputs: how many inputs it has.
    """
    random = np.random.default_rng(seed)
    rank = int(random.integers(1, 4))
    if kinds[0] in OF_IMAGES:
        rank = max(rank, 2)
    if "embedding" in kinds:
        rank = min(rank, 2)
    shapes = []
    for _ in range(inputs):
        space = random.integers(1, 20, size=rank - 1).tolist()
        shapes.append((*space, int(random.integers(1, 20))))
    if kinds[0] in ("add", "multiply") and random.random() < 0.7:
        # What is broadcast.
        shapes.append(
            tuple(n if random.random() < 0.5 else 1 for n in shapes[0])
        )
    network = Network(random, *shapes)
    for kind in kinds:
        if kind == "add":
            network.combine("add")
        else:
            network.grow(kind)
    made = len(network.shapes) - len(network.inputs)
    outputs = {len(network.shapes) - 1}
    if made > 3:
        outputs.add(int(random.integers(len(network.shapes))))
    return network.graph(*sorted(outputs))
