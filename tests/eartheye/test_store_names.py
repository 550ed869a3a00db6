"""Which names objects, folders and roots may have."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from eartheye.errors import InvalidName
from eartheye.store import Bulk, Folder
from eartheye.store.names import check_name

LEAVING = ["/etc/passwd", "..", "../a", "a/../../b", "a/.."]
AMBIGUOUS = ["", "a//b", "a/", ".", "a/./b", "/"]
UNWRITABLE = ["nul\0", "line\nbreak", "\x7f", "\ud800", "x" * 256, "é" * 128, "y/" * 512 + "y", ".unfinished-1", "a/.unfinished-1/b"]


@pytest.mark.parametrize("name", LEAVING + AMBIGUOUS + UNWRITABLE, ids=ascii)
def test_names_that_leave_the_folder_or_fit_nowhere_are_refused(name, tmp_path):
    folder = Folder(tmp_path / "store")
    uses = [folder.read, folder.exists, folder.delete, folder.bulk, folder.gdal_path, folder.__truediv__]
    for use in (*uses, lambda name: folder.read_range(name, 0, 1), lambda name: folder.create_once(name, b"")):
        with pytest.raises(InvalidName, match="choose another"):
            use(name)
    with pytest.raises(InvalidName, match="choose another"), folder.create(name):
        pass
    with pytest.raises(ValidationError, match="choose another"):
        Bulk(name=name, size=0, sha256=hashlib.sha256().hexdigest())
    assert not (tmp_path / "store").exists()


@given(st.text())
def test_what_is_accepted_stays_within_its_folder(name):
    try:
        check_name(name)
    except InvalidName:
        return
    parts = name.split("/")
    assert ".." not in parts
    assert "" not in parts
    assert "\0" not in name


def test_a_bulk_is_refused_without_a_true_digest_and_size():
    good = {"name": "a/b.parquet", "size": 0, "sha256": "0" * 64}
    assert Bulk(**good).name == "a/b.parquet"
    for change in ({"sha256": "0" * 63}, {"sha256": "X" * 64}, {"size": -1}, {"extra": 1}):
        with pytest.raises(ValidationError):
            Bulk(**(good | change))


def test_roots_name_a_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Folder("runs/demo").root == f"{tmp_path}/runs/demo"
    assert Folder(tmp_path / "x" / ".." / "y").root == f"{tmp_path}/y"
    assert Folder((tmp_path / "with space").as_uri()).root == f"{tmp_path}/with space"
    assert Folder("s3://bucket/prefix/").root == "s3://bucket/prefix"
    assert Folder("s3://bucket").root == "s3://bucket"
    assert (Folder("s3://bucket") / "a b").root == "s3://bucket/a b"
    assert (Folder("/") / "data").root == "/data"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "root", ["http://host/x", "gs://bucket/x", "s3://", "s3:///x", "s3://ab/x", "s3://Bucket/x", "s3://bucket/a/../b", "file://host/x"]
)
def test_roots_that_name_no_store_are_refused(root):
    with pytest.raises(InvalidName):
        Folder(root)


def test_an_s3_key_counts_with_its_prefix():
    with pytest.raises(InvalidName, match="longer than the 1024 bytes"):
        Folder("s3://bucket/" + "/".join(["p" * 200] * 5)).gdal_path("x" * 100)


def test_only_a_directory_has_a_path_for_tools(tmp_path):
    assert Folder(tmp_path).local_directory() == tmp_path
    assert Folder(tmp_path).gdal_path("a/b.tif") == f"{tmp_path}/a/b.tif"
    assert Folder("s3://bucket/x").local_directory() is None
    assert Folder("s3://bucket/x").gdal_path("a/b.tif") == "/vsis3/bucket/x/a/b.tif"
