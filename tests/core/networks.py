"""Kernels of published networks, from their descriptions."""

import math


def lenet_300_100():
    """Shapes of the kernels by name."""
    return {"fc1": (784, 300), "fc2": (300, 100), "out": (100, 10)}


def resnet50():
    """Shape and number of output positions of each kernel of ResNet-50 v1.5.

    Images are 224 by 224. "v1.5" has the stride in the 3 by 3 convolution of
    a block, so the 1 by 1 before it works at the resolution of its input.
    """
    kernels = {"conv1": ((7, 7, 3, 64), 112**2)}
    channels, resolution = 64, 56
    stages = enumerate([(3, 64), (4, 128), (6, 256), (3, 512)], start=1)
    for stage, (blocks, width) in stages:
        for block in range(blocks):
            stride = 2 if block == 0 and stage > 1 else 1
            before, resolution = resolution, resolution // stride
            out = 4 * width
            convolutions = {
                "conv1": ((1, 1, channels, width), before**2),
                "conv2": ((3, 3, width, width), resolution**2),
                "conv3": ((1, 1, width, out), resolution**2),
            }
            if block == 0:
                downsample = ((1, 1, channels, out), resolution**2)
                convolutions["downsample"] = downsample
            for name, kernel in convolutions.items():
                kernels[f"layer{stage}.{block}.{name}"] = kernel
            channels = out
    kernels["fc"] = ((2048, 1000), 1)
    return kernels


def macs(kernels, densities=None):
    """Multiplications of one forward pass."""
    return sum(
        math.prod(shape)
        * positions
        * (1 if densities is None else densities[name])
        for name, (shape, positions) in kernels.items()
    )
