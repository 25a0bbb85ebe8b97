"""Sparse-training methods, one short file each."""

from tf_rigl.algorithms.algorithm import Algorithm as Algorithm
from tf_rigl.algorithms.rigl import RigL as RigL
from tf_rigl.algorithms.static import Static as Static
