"""Weight agnostic networks: topologies that work with any shared weight.

```python
from tf_rigl import wann

result = wann.search(wann.SwingUp(), generations=100, folder="runs/swing_up")
print(result)
best = wann.best_weight(result.best, wann.SwingUp())
model = wann.to_keras(result.best, keras, weight=best.weight)
```

1. A `genome` is a list of nodes and connections, ordered by `graphs`; each
   `mutation` changes one thing of it. Hidden nodes have `activations`.
2. `networks` evaluates the `live_nodes` of many genomes at once, with all
   shared weights.
3. `ranking` orders a generation by its scores and its connections; `breeding`
   makes the next one.
4. `scoring` has a task of `tasks` evaluate genomes, in several processes.
5. `searching` is the loop over generations. Its `search_state` is saved in a
   `search_folder`, and its `search_result` is what it returns.
6. `weights` finds shared weights for a topology, `tuning` single ones, and
   `keras_model` makes a sparse model of it.

Names are imported when they are first used: a search needs neither TensorFlow
nor Keras.
"""

from typing import TYPE_CHECKING

from tf_rigl import _lazy

if TYPE_CHECKING:
    # For type checkers and editors: the names of `_NAMES`.
    from tf_rigl.wann.breeding import SearchOptions as SearchOptions
    from tf_rigl.wann.genome import Genome as Genome
    from tf_rigl.wann.keras_model import to_keras as to_keras
    from tf_rigl.wann.networks import Networks as Networks
    from tf_rigl.wann.search_result import FrontMember as FrontMember
    from tf_rigl.wann.search_result import GenerationRecord as GenerationRecord
    from tf_rigl.wann.search_result import SearchResult as SearchResult
    from tf_rigl.wann.searching import search as search
    from tf_rigl.wann.tasks.digits import Digits as Digits
    from tf_rigl.wann.tasks.gymnasium_tasks import (
        BipedalWalker as BipedalWalker,
    )
    from tf_rigl.wann.tasks.gymnasium_tasks import CarRacing as CarRacing
    from tf_rigl.wann.tasks.swing_up import SwingUp as SwingUp
    from tf_rigl.wann.tasks.task import Defaults as Defaults
    from tf_rigl.wann.tasks.task import Task as Task
    from tf_rigl.wann.tuning import Tuned as Tuned
    from tf_rigl.wann.tuning import tune as tune
    from tf_rigl.wann.weights import BestWeight as BestWeight
    from tf_rigl.wann.weights import Ensemble as Ensemble
    from tf_rigl.wann.weights import best_weight as best_weight
    from tf_rigl.wann.weights import ensemble as ensemble

_NAMES = _lazy.index(
    {
        "tf_rigl.wann.breeding": ["SearchOptions"],
        "tf_rigl.wann.genome": ["Genome"],
        "tf_rigl.wann.keras_model": ["to_keras"],
        "tf_rigl.wann.networks": ["Networks"],
        "tf_rigl.wann.search_result": [
            "FrontMember",
            "GenerationRecord",
            "SearchResult",
        ],
        "tf_rigl.wann.searching": ["search"],
        "tf_rigl.wann.tasks.digits": ["Digits"],
        "tf_rigl.wann.tasks.gymnasium_tasks": ["BipedalWalker", "CarRacing"],
        "tf_rigl.wann.tasks.swing_up": ["SwingUp"],
        "tf_rigl.wann.tasks.task": ["Defaults", "Task"],
        "tf_rigl.wann.tuning": ["Tuned", "tune"],
        "tf_rigl.wann.weights": [
            "BestWeight",
            "Ensemble",
            "best_weight",
            "ensemble",
        ],
    }
)

__all__ = list(_NAMES)

if not TYPE_CHECKING:
    __getattr__, __dir__ = _lazy.attach(__name__, _NAMES)
