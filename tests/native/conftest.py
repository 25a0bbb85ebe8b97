import pytest

from tests.native import cases
from tf_rigl.native import library


@pytest.fixture(params=cases.LEVELS, name="level")
def level_fixture(request):
    """Each level in turn; one that the machine lacks is the next lower one."""
    yield library.cap_level(request.param)
    library.cap_level(max(cases.LEVELS))


@pytest.fixture
def three_threads():
    before = library.threads()
    library.set_threads(3)
    yield
    library.set_threads(before)
