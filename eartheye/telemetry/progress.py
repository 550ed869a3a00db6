"""Progress of long work: a bar in a terminal, a line every few seconds elsewhere."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

T = TypeVar("T")
LINE_EVERY_S = 10.0

Advance = Callable[..., None]
"""`advance(n=1, note="")`: n more units are done; the note, as a loss, is shown beside them."""


@contextmanager
def progress_of(what: str, total: int | None, done: int = 0) -> Iterator[Advance]:
    """Show how far a piece of work is.

    Args:
        what: the work in a few words, as "cutting tiles".
        total: units in all, None where nobody knows.
        done: units that an earlier run has done already.
    """
    console = Console(stderr=True)
    if console.is_terminal:
        about, note = TextColumn("{task.description}"), TextColumn("{task.fields[note]}")
        with Progress(about, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), note, console=console, transient=True) as bar:
            task = bar.add_task(what, total=total, completed=done, note="")
            yield lambda n=1, note="": bar.update(task, advance=n, note=note)
        return

    count, said = done, time.monotonic()

    def advance(n: int = 1, note: str = "") -> None:
        nonlocal count, said
        count += n
        if time.monotonic() - said >= LINE_EVERY_S:
            said = time.monotonic()
            line = f"{what}: {count}{f' of {total}' if total else ''} {note}".rstrip()
            console.print(line, highlight=False, soft_wrap=True)  # a log has no width

    yield advance


def progress(items: Sequence[T] | Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yield the items one by one and show how far it is."""
    known = len(items) if isinstance(items, Sequence) else total
    with progress_of(what, known) as advance:
        for item in items:
            yield item
            advance()
