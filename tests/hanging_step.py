"""A step that hangs: a stand-in for a library that the first steps import says which process it is in, and never returns."""

import os
from pathlib import Path

from tests.waiting import wait_until

HANG = """
import os, pathlib, time
here = pathlib.Path(__file__).parent
(here / "pid.part").write_text(str(os.getpid()))
(here / "pid.part").rename(here / "pid")
while True:
    time.sleep(60)
"""


def lay_stand_in(folder: Path) -> None:
    """Put the library into a folder that is to be the first of PYTHONPATH."""
    folder.mkdir()
    (folder / "geopandas.py").write_text(HANG)


def step_at_work(folder: Path) -> int:
    """Wait until the step hangs, and return its process."""
    wait_until((folder / "pid").exists)
    return int((folder / "pid").read_text())


def is_gone(process: int) -> bool:
    """Say whether a process has ended, collected by its parent or not."""
    try:
        os.kill(process, 0)
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True
