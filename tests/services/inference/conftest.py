"""What the tests of the inference service share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from eartheye.bus import Bus
from services.stack.broker import embedded_broker
from tests.services.inference.place import Place, make_place


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    with embedded_broker() as address:
        yield address


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, broker: str) -> Place:
    """A place that the tests of a file share."""
    return make_place(tmp_path_factory.mktemp("place"), broker)


@pytest.fixture
def own_place(tmp_path: Path) -> Iterator[Place]:
    """A place and a broker of the test's own, for it spoils something."""
    with embedded_broker() as address:
        yield make_place(tmp_path, address)


@pytest.fixture(scope="module")
def bus(place: Place) -> Iterator[Bus]:
    with Bus(place.settings) as bus:
        yield bus
