"""A server of objects that accepts connections and never answers, and somebody who waits."""

import socket

import pytest
import rasterio
from rasterio.errors import RasterioIOError

from eartheye.errors import StoreUnavailable
from eartheye.settings import load
from eartheye.store import Folder, hurried, patience


@pytest.fixture
def folder(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        monkeypatch.setenv("EARTHEYE_S3_ENDPOINT", f"127.0.0.1:{mute.getsockname()[1]}")
        load.cache_clear()
        yield Folder("s3://maps/a")
    load.cache_clear()


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(patience, "HURRIED", patience.Patience(silence_s=1, repeats=1, attempts=2))


def test_somebody_in_a_hurry_gives_it_up(folder, short):
    for use in (lambda: folder.read("x"), lambda: folder.exists("x"), lambda: next(folder.list())):
        with pytest.raises(StoreUnavailable, match="does not answer"), hurried():
            use()


def test_so_does_gdal(folder, short):
    with hurried(), folder.gdal_env(), pytest.raises(RasterioIOError, match="too slow"):
        rasterio.open(folder.gdal_path("map.tif"))
