"""How tests wait for what is to come: for as long as a slow or busy machine takes."""

import time
from collections.abc import Callable

LIMIT_S = 600.0
"""Ends a test that hangs. What comes early is not waited for any longer, so it measures nothing."""


def wait_until(holds: Callable[[], object]) -> None:
    """Return as soon as something holds."""
    deadline = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.02)
