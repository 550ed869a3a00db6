"""Whether the loops of this process turn: what a probe can ask of a service that nobody calls."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(eq=False)
class _Loop:
    name: str
    within_s: float
    turned_at_s: float
    thread: int = field(default_factory=threading.get_ident)


class Pulse:
    """Remembers when each loop last turned; threads share it.

    Args:
        clock: says the time, s.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._loops = list[_Loop]()

    @contextmanager
    def turning(self, name: str, within_s: float) -> Iterator[Callable[[], None]]:
        """Watch a loop for the length of a block; it calls what is yielded at each turn.

        Args:
            name: for people; several loops may have one.
            within_s: a loop that has not turned for longer stands still.
        """
        loop = _Loop(name, within_s, self._clock())
        with self._lock:
            self._loops.append(loop)

        def turned() -> None:
            loop.turned_at_s = self._clock()

        try:
            yield turned
        finally:
            with self._lock:
                self._loops.remove(loop)

    def advanced(self) -> None:
        """Count a step of long work as a turn of the loop that this thread is in; outside of a loop it counts for nothing."""
        with self._lock:
            for loop in self._loops:
                if loop.thread == threading.get_ident():
                    loop.turned_at_s = self._clock()

    def fault(self) -> str | None:
        """Return why this process does not do its work, in words; None when every loop turns."""
        with self._lock:
            loops, now_s = list(self._loops), self._clock()
        if not loops:
            return "no loop has begun"
        still = [
            f"{loop.name} has not turned for {now_s - loop.turned_at_s:.0f} s" for loop in loops if now_s - loop.turned_at_s > loop.within_s
        ]
        return "; ".join(still) or None


PULSE = Pulse()
"""The loops of this process."""
