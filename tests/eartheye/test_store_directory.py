"""What only a directory store can meet."""

import os
import shutil
import signal
import subprocess
import sys

import pytest

from eartheye.errors import FolderRefused, InvalidName
from eartheye.store import Folder
from eartheye.store.draft import ABANDONED_AFTER_S, sweep

WRITE_AND_WAIT = """
import sys, time
from eartheye.store import Folder
with Folder(sys.argv[1]).create("object.bin") as file:
    file.write(b"x" * 3_000_000)
    print("writing", flush=True)
    time.sleep(600)
"""

FILL_A_SMALL_DISK = """
import os, sys
from pathlib import Path
from eartheye.errors import StoreFull
from eartheye.store import Folder
folder = Folder(sys.argv[1])
with folder.create("small.bin") as file:
    file.write(b"fits")
for attempt in ("create", "once", "upload"):
    try:
        if attempt == "create":
            with folder.create("large.bin") as file:
                file.write(bytes(3_000_000))
        elif attempt == "once":
            folder.create_once("large.bin", bytes(3_000_000))
        else:
            folder.upload("large.bin", Path(sys.argv[2]))
    except StoreFull as error:
        print(error)
print(sorted(os.listdir(sys.argv[1])), folder.read("small.bin"))
"""


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "store")


def test_what_a_killed_writer_left_is_hidden_and_goes_when_it_is_old(folder, tmp_path):
    with subprocess.Popen([sys.executable, "-c", WRITE_AND_WAIT, folder.root], stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b"writing\n"
        writer.send_signal(signal.SIGKILL)
    (left,) = (tmp_path / "store").iterdir()
    assert left.name.startswith(".unfinished-")
    assert list(folder.list()) == []

    folder.create_once("first", b"")
    assert left.exists(), "its writer might still be at work"
    old = left.stat().st_mtime - ABANDONED_AFTER_S - 60
    os.utime(left, (old, old))
    sweep.cache_clear()  # as in another process
    folder.create_once("second", b"")
    assert sorted(path.name for path in (tmp_path / "store").iterdir()) == ["first", "second"]


@pytest.mark.skipif(shutil.which("unshare") is None, reason="no unshare to mount a small disk with")
def test_a_full_disk_is_told_and_leaves_only_what_fitted(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    namespace = ["unshare", "--map-root-user", "--mount"]
    if subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody make a mount namespace")
    (tmp_path / "large.bin").write_bytes(bytes(3_000_000))
    script = 'mount -t tmpfs -o size=1m none "$4" && exec "$1" "$2" "$3" "$4" "$5"'
    arguments = [sys.executable, "-c", FILL_A_SMALL_DISK, str(disk), str(tmp_path / "large.bin")]
    command = [*namespace, "sh", "-c", script, "sh", *arguments]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    no_room = f"no room to write {disk}/large.bin (No space left on device): free space, raise the limit or choose another folder"
    assert told[:3] == [no_room] * 3
    assert told[3] == "['small.bin'] b'fits'"


def test_a_name_is_not_an_object_and_a_folder(folder):
    folder.create_once("a", b"")
    folder.create_once("b/c", b"")
    for name in ("a/x", "b"):
        with pytest.raises(InvalidName, match="choose another name"):
            folder.create_once(name, b"")
        with pytest.raises(InvalidName, match="choose another name"), folder.create(name):
            pass
    assert list(folder.list()) == ["a", "b/c"]


def test_an_error_of_the_writer_is_not_the_stores(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"), folder.create("x"):
        (tmp_path / "absent").read_bytes()
    with pytest.raises(NotADirectoryError), folder.create("x") as file:
        file.write((tmp_path / "store" / "x" / "y").read_bytes() if folder.create_once("x", b"") else b"")
    assert folder.read("x") == b""


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_a_folder_without_access_is_told(folder, tmp_path):
    folder.create_once("x", b"")
    (tmp_path / "store").chmod(0)
    try:
        for use in (
            lambda: folder.read("x"),
            lambda: list(folder.list()),
            lambda: folder.create_once("y", b""),
            lambda: folder.delete("x"),
        ):
            with pytest.raises(FolderRefused, match="give this user access"):
                use()
    finally:
        (tmp_path / "store").chmod(0o700)


def test_a_read_only_place_is_told():
    with pytest.raises(FolderRefused, match="cannot be used"):
        Folder("/sys/eartheye").create_once("x", b"")


def test_objects_have_the_access_rights_of_ordinary_files(folder, tmp_path):
    before = os.umask(0o027)
    try:
        folder.create_once("x", b"")
        with folder.create("y") as file:
            file.write(b"")
    finally:
        os.umask(before)
    assert [(tmp_path / "store" / name).stat().st_mode & 0o777 for name in "xy"] == [0o640, 0o640]
