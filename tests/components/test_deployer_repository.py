"""Entries of Triton's model repository."""

import os
import signal
import subprocess
import sys
import time

import pytest

from components.deployer.triton import ABANDONED_S, written_entry
from eartheye.errors import StoreFull
from eartheye.store import Folder
from tests.limits import filled
from tests.services.inference.place import write_package

KILLED = """
import os, signal, sys
from pathlib import Path
from components.deployer.triton import written_entry
from eartheye.contracts import ServingPackage
from eartheye.store import Folder

serving = Folder(sys.argv[1])
with written_entry(serving, ServingPackage.read(serving), "landcover-v1", 1, "python", Path(sys.argv[2]) / "landcover-v1"):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_deployer_left_is_removed_once_nobody_can_be_at_work_on_it(tmp_path):
    serving, repository = tmp_path / "serving", tmp_path / "repository"
    package = write_package(Folder(serving))
    killed = subprocess.run([sys.executable, "-c", KILLED, str(serving), str(repository)])
    assert killed.returncode == -signal.SIGKILL
    (left,) = repository.glob(".part-*")

    def deploy_another(version):
        with written_entry(Folder(serving), package, f"landcover-v{version}", version, "python", repository / f"landcover-v{version}"):
            pass

    deploy_another(2)
    assert left.exists()  # another deployer may be at work there
    long_ago = time.time() - ABANDONED_S - 1
    os.utime(left, (long_ago, long_ago))
    deploy_another(3)
    assert sorted(entry.name for entry in repository.iterdir()) == ["landcover-v1", "landcover-v2", "landcover-v3"]
    assert all((entry / f"{package.digest}.digest").exists() for entry in repository.iterdir())


def test_a_full_repository_is_told_and_keeps_what_it_had(tmp_path, small_disk):
    serving = Folder(tmp_path / "serving")
    package = write_package(serving)
    told = rf"no room to write {small_disk}/landcover-v1 .*set EARTHEYE_TRITON_REPOSITORY to a folder on a larger disk"
    with (
        filled(small_disk),
        pytest.raises(StoreFull, match=told),
        written_entry(serving, package, "landcover-v1", 1, "python", small_disk / "landcover-v1"),
    ):
        pass
    assert list(small_disk.iterdir()) == []
