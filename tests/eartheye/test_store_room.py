"""Disks that fill up, whoever writes."""

import errno
import os
import tempfile

import pytest

from eartheye.errors import CorruptBulk, StoreFull
from eartheye.store.room import room, scratch_folder
from tests.limits import filled


def put_another_error_in_front():
    try:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
    finally:
        raise RuntimeError("unexpected pos 409856 vs 409808")


def give_the_words_alone():
    raise ValueError("Error while serializing: I/O error: No space left on device (os error 28)")


def give_the_number_alone():
    raise OSError(errno.EFBIG, "the last blocks could not be written")


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (put_another_error_in_front, "Disk quota exceeded"),
        (give_the_words_alone, "No space left on device"),
        (give_the_number_alone, "the last blocks could not be written"),
    ],
)
def test_want_of_room_is_told_whoever_met_it(write, words):
    with pytest.raises(StoreFull) as told, room("to write /data/x", "free space"):
        write()
    assert str(told.value) == f"no room to write /data/x ({words}): free space"


def test_other_errors_stay_as_they_are():
    with pytest.raises(PermissionError), room("to write /data/x", "free space"):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    with pytest.raises(CorruptBulk, match="No space left on device"), room("to write /data/x", "free space"):
        raise CorruptBulk("a file is called 'No space left on device'")


def test_a_full_disk_of_temporary_files_is_named_and_nothing_is_left_on_it(small_disk, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    told = rf"no room in {small_disk} for temporary files \(No space left on device\): free space there, or set TMPDIR to a larger disk"
    with pytest.raises(StoreFull, match=told), filled(small_disk), scratch_folder() as folder:
        (folder / "x").write_bytes(bytes(4096))
    assert list(small_disk.iterdir()) == []
    with scratch_folder() as folder:
        (folder / "x").write_bytes(bytes(4096))
    assert list(small_disk.iterdir()) == []


def test_where_no_directory_of_temporary_files_has_room_is_told(small_disk, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(small_disk)])
    with (
        filled(small_disk),
        pytest.raises(StoreFull, match=rf"No usable temporary directory found in \['{small_disk}'\]: .*set TMPDIR"),
        scratch_folder(),
    ):
        pass
