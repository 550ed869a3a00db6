"""How long a server of objects is waited for: long by services at work, which nobody watches, short where somebody waits for an answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """What one request to a server may take."""

    silence_s: int
    """How long the server may send nothing, to GDAL as well."""
    repeats: int
    """How often a request is made again that got no answer, or a server's fault."""
    attempts: int
    """How often an answer is asked for in all that broke off midway."""


PATIENT = Patience(silence_s=60, repeats=4, attempts=3)
HURRIED = Patience(silence_s=5, repeats=1, attempts=2)
_patience = ContextVar("patience", default=PATIENT)


def patience() -> Patience:
    """Return how patient this task or thread is now."""
    return _patience.get()


@contextmanager
def hurried() -> Iterator[None]:
    """For the length of a block, give a server up that is silent for some seconds.

    This holds for the task or thread of the block, for the tasks that it begins and what it hands to `asyncio.to_thread`; not for threads
    that it starts otherwise.
    """
    before = _patience.set(HURRIED)
    try:
        yield
    finally:
        _patience.reset(before)
