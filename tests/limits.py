"""Limits of a process and of a disk, to see what it does when it meets them."""

import resource
import shutil
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 4 MiB; needs the right to mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if shutil.which("mount") is None or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], check=False).returncode:
        pytest.skip("this user may not mount a file system")
    yield disk
    subprocess.run(["umount", disk], check=True)


@contextmanager
def filled(disk: Path, left_bytes: int = 0):
    """Fill a disk for the length of a block, but for some bytes."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    with ballast.open("r+b") as file:
        file.truncate(max(ballast.stat().st_size - left_bytes, 0))
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def file_size_limit(size):
    """Let no file grow beyond this many bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
