"""A place for a stack of small servers, and how they start there and end."""

import pytest

from services.stack.place import Place
from services.stack.server import Server
from services.stack.supervisor import start_all, stop_all


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "stack", tmp_path / "cache")


@pytest.fixture
def up(place):
    """Start servers of a test, and end them after it."""
    started: list[Server] = []

    def start(*servers: Server):
        started[:] = servers
        return start_all(servers, place, lambda finding: None)

    yield start
    stop_all(started, place, lambda finding: None)
