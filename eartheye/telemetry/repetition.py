"""Trouble that lasts is told once in a while, not each time it is met."""

import threading
import time
from collections.abc import Callable, Hashable

QUIET_S = 60.0
"""How long the same is not told again."""
REMEMBERED = 1000
"""Kinds of trouble that are kept in mind; beyond it, what was told longest ago is forgotten."""


class Repetition:
    """Remembers what was told; threads may share it.

    Args:
        quiet_s: how long the same is not told again.
        clock: says the time, s.
    """

    def __init__(self, quiet_s: float = QUIET_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._quiet_s, self._clock = quiet_s, clock
        self._lock = threading.Lock()
        self._told: dict[Hashable, tuple[float, int]] = {}

    def left_out(self, what: Hashable) -> int | None:
        """Return how often the same was left out since it was last told; None where it is to be left out now.

        Args:
            what: stands for all that is the same.
        """
        with self._lock:
            now = self._clock()
            told_at, count = self._told.get(what, (None, 0))
            if told_at is not None and now - told_at < self._quiet_s:
                self._told[what] = (told_at, count + 1)
                return None
            self._told.pop(what, None)  # the order of the dictionary is that of the telling
            if len(self._told) >= REMEMBERED:
                del self._told[next(iter(self._told))]
            self._told[what] = (now, 0)
            return count
