import pytest
import tensorflow as tf

from tests.docs import code_blocks
from tests.docs import stand_ins


@pytest.fixture
def run_block(tmp_path, monkeypatch, request):
    """Runs a block with its stand-ins, in a folder of its own.

    Where the page says what the block prints, that must be so.
    """

    def run(block, flavor):
        monkeypatch.chdir(tmp_path)
        keras = pytest.importorskip(flavor)
        keras.backend.clear_session()
        keras.utils.set_random_seed(1)
        if "two_devices" in block.options:
            strategy = request.getfixturevalue("two_replicas")
            monkeypatch.setattr(
                tf.distribute, "MirroredStrategy", lambda: strategy
            )

        names = {name: stand_ins.make(name, keras) for name in block.stand_ins}
        names, printed = code_blocks.run_block(block, flavor, names)

        if block.prints is not None:
            assert printed == block.prints
        return names

    return run
