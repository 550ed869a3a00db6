"""A server's data folder: whole, or not there."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from eartheye.errors import ServerNotStarted


def make_whole(data: Path, proof: str, make: Callable[[Path], None]) -> Path:
    """Return a data folder, made beside its place and moved there when it is whole.

    Args:
        data: where it belongs.
        proof: a file that a whole folder has.
        make: fills a folder whose path it is given.

    Raises:
        ServerNotStarted: there is a folder without proof: nobody knows what it was, so it is left alone.
    """
    if (data / proof).exists():
        return data
    if data.exists() and any(data.iterdir()):
        raise ServerNotStarted(f"{data} holds files but no {proof}, so it is half-written: move it away, or put back what is missing")
    for left in data.parent.glob(f"{data.name}.part*"):  # by a killed attempt, whose tool may still be at work there
        shutil.rmtree(left, ignore_errors=True)
    data.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f"{data.name}.part-", dir=data.parent))
    make(draft)
    if data.exists():
        data.rmdir()
    draft.rename(data)
    return data
