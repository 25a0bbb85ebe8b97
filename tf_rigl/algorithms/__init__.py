"""Sparse-training methods, one short file each."""

from tf_rigl.algorithms.ac_dc import ACDC as ACDC
from tf_rigl.algorithms.algorithm import Algorithm as Algorithm
from tf_rigl.algorithms.algorithm import Weight as Weight
from tf_rigl.algorithms.algorithm import WeightUpdate as WeightUpdate
from tf_rigl.algorithms.algorithm import When as When
from tf_rigl.algorithms.dnw import DNW as DNW
from tf_rigl.algorithms.gradual_pruning import GradualPruning as GradualPruning
from tf_rigl.algorithms.one_shot import OneShot as OneShot
from tf_rigl.algorithms.rigl import RigL as RigL
from tf_rigl.algorithms.set import SET as SET
from tf_rigl.algorithms.snfs import SNFS as SNFS
from tf_rigl.algorithms.snip import SNIP as SNIP
from tf_rigl.algorithms.srigl import SRigL as SRigL
from tf_rigl.algorithms.static import Static as Static
from tf_rigl.algorithms.ste import STE as STE
from tf_rigl.algorithms.top_kast import TopKAST as TopKAST
