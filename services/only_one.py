"""A folder of this machine that one process at a time fills."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from eartheye.errors import FolderRefused, OutputBusy
from eartheye.file_lock import file_lock
from eartheye.store.room import room


@contextmanager
def only_one(folder: Path, who: str) -> Iterator[None]:
    """Hold a folder for this process, for the length of a block.

    Args:
        folder: made where it is not there.
        who: would be at work there, as `another demonstration`.

    Raises:
        OutputBusy: another process holds it.
        FolderRefused: it cannot be made, or not be written to.
        StoreFull: there is no room for it.
    """
    with ExitStack() as held:
        try:
            with room(f"in {folder}", "free space, or choose another folder"):
                folder.mkdir(parents=True, exist_ok=True)
                ours = held.enter_context(file_lock(folder / ".lock"))
        except OSError as error:
            raise FolderRefused(f"{folder} cannot be made or written to ({error.strerror}): choose another folder") from error
        if not ours:
            raise OutputBusy(f"{who} is at work in {folder}: wait for it, or choose another folder")
        yield
