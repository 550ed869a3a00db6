"""A question to a server that may hang, asked by one thread at a time and not too often."""

import datetime as dt
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from eartheye.database import now

T = TypeVar("T")


@dataclass(frozen=True)
class Asked(Generic[T]):
    """A question that is under way, or answered."""

    limit_s: float
    """An answer that takes longer counts as none."""
    answer: "Future[T]" = field(default_factory=Future)
    since: dt.datetime = field(default_factory=now)
    asked_at: float = field(default_factory=time.monotonic)

    @property
    def left_s(self) -> float:
        """How long the answer may still take: nothing for a question that hangs, so that nobody waits for it again."""
        return max(0.0, self.asked_at + self.limit_s - time.monotonic())

    def wait(self) -> bool:
        """Wait as long as the answer may take, and say whether it is there."""
        return bool(wait_for([self.answer], self.left_s).done)


class Probe(Generic[T]):
    """Asks a server, once for all who want to know.

    While one question hangs no other is begun, so that a server that never answers holds a single thread. That thread is a daemon: it does
    not keep the process from ending.

    Args:
        question: what is asked.
        limit_s: an answer that takes longer counts as none.
        fresh_s: for how long an answer is given again, from when it came.
    """

    def __init__(self, question: Callable[[], T], limit_s: float, fresh_s: float = 0.0) -> None:
        self._question, self._limit_s, self._fresh_s = question, limit_s, fresh_s
        self._lock = threading.Lock()
        self._last: Asked[T] | None = None
        self._answered_at = 0.0

    def ask(self) -> Asked[T]:
        """Ask, unless the question before is still under way or its answer fresh; does not wait."""
        with self._lock:
            if self._last is None or (self._last.answer.done() and time.monotonic() - self._answered_at >= self._fresh_s):
                asked: Asked[T] = Asked(self._limit_s)
                threading.Thread(target=self._run, args=(asked.answer,), name="probe", daemon=True).start()
                self._last = asked  # only now: a thread that cannot be had would never answer
            return self._last

    def _run(self, answer: "Future[T]") -> None:
        answer.set_running_or_notify_cancel()  # from here on nobody who gives up waiting can cancel it
        try:
            found = self._question()
        except Exception as error:
            self._answered_at = time.monotonic()
            answer.set_exception(error)
        else:
            self._answered_at = time.monotonic()
            answer.set_result(found)
