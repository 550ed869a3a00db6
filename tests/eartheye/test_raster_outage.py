"""A store that goes away or hangs while a scene is opened or read, and a scene that is damaged indeed."""

from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window

from eartheye.errors import MissingRaster, StoreUnavailable, UnreadableRaster
from eartheye.raster import CogSpec, open_scene, write_cog
from eartheye.settings import load
from eartheye.store import Folder, patience
from tests.servers.proxy import BreakingProxy, breaking_proxy

pytestmark = pytest.mark.server
SIDE_PX = 1500
HERE = Affine(2.0, 0, 500_000, 0, -2.0, 3_300_000)
SPEC = CogSpec(crs=CRS.from_epsg(32650), transform=HERE, width=SIDE_PX, height=SIDE_PX, dtype="uint8", bands=("pan",))
FAR_CORNER = Window(SIDE_PX - 100, SIDE_PX - 100, 100, 100)
SHORT = patience.Patience(silence_s=3, repeats=2, attempts=1)


class Trouble:
    """A store behind a proxy that can be in trouble: it hangs, or breaks its answers off."""

    def __init__(self, kind: str, bucket: str) -> None:
        self.uri = f"{bucket}/scenes/a.tif"
        self.proxy: BreakingProxy
        self._kind, self._answers_left = kind, 1_000_000

    def begin(self, after_answers: int = 0) -> None:
        """Have only so many requests answered from now on."""
        self._answers_left = after_answers

    def end(self) -> None:
        patience._patience.set(patience.PATIENT)
        self._answers_left = 1_000_000
        self.proxy.flowing.set()

    def passing_bytes(self, _request: str) -> int | None:
        self._answers_left -= 1
        if self._answers_left >= 0:
            return None
        if self._kind == "breaks off":
            return 0
        self.proxy.flowing.clear()
        return None


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(1, 255, (1, SIDE_PX, SIDE_PX), dtype=np.uint8)


@pytest.fixture
def cog(pixels: np.ndarray, s3_bucket: str, tmp_path: Path) -> Path:
    write_cog(tmp_path / "a.tif", pixels, SPEC)
    Folder(f"{s3_bucket}/scenes").upload("a.tif", tmp_path / "a.tif")
    return tmp_path / "a.tif"


@pytest.fixture(params=["hangs", "breaks off"])
def trouble(request, cog, s3_bucket, minio_server, monkeypatch):
    trouble = Trouble(request.param, s3_bucket)
    before = patience._patience.set(SHORT)  # GDAL keeps for each open file what held when it was opened
    try:
        with breaking_proxy(minio_server.endpoint, trouble.passing_bytes) as trouble.proxy:
            monkeypatch.setenv("EARTHEYE_S3_ENDPOINT", trouble.proxy.endpoint)
            load.cache_clear()
            yield trouble
            trouble.end()
    finally:
        patience._patience.reset(before)
        load.cache_clear()


def test_a_store_that_fails_in_mid_read_is_an_outage_and_the_scene_is_read_when_it_is_back(trouble, pixels):
    with open_scene(trouble.uri) as scene:
        trouble.begin()
        with pytest.raises(StoreUnavailable, match="does not answer"):
            scene.read(FAR_CORNER)
        trouble.end()
        assert np.array_equal(scene.read(FAR_CORNER)[0], pixels[:, -100:, -100:])


def test_a_store_that_fails_when_gdal_opens_is_an_outage_and_not_remembered_as_a_missing_file(trouble, pixels):
    trouble.begin(after_answers=1)  # that with the first bytes
    with pytest.raises(StoreUnavailable, match="does not answer"), open_scene(trouble.uri):
        pass
    trouble.end()
    with open_scene(trouble.uri) as scene:
        assert np.array_equal(scene.read(FAR_CORNER)[0], pixels[:, -100:, -100:])


def test_an_outage_that_has_passed_when_the_store_is_asked_is_not_noticed(trouble, pixels, monkeypatch):
    exists = Folder.exists

    def exists_after_the_outage(folder: Folder, name: str) -> bool:
        trouble.end()
        return exists(folder, name)

    monkeypatch.setattr(Folder, "exists", exists_after_the_outage)
    with open_scene(trouble.uri) as scene:
        trouble.begin()
        assert np.array_equal(scene.read(FAR_CORNER)[0], pixels[:, -100:, -100:])


def test_a_truncated_scene_in_a_store_that_answers_is_unreadable(cog, s3_bucket):
    (cog.parent / "cut.tif").write_bytes(cog.read_bytes()[:500_000])
    Folder(f"{s3_bucket}/scenes").upload("cut.tif", cog.parent / "cut.tif")
    with open_scene(f"{s3_bucket}/scenes/cut.tif") as scene, pytest.raises(UnreadableRaster, match="truncated or corrupt"):
        scene.read(FAR_CORNER)


def test_a_scene_that_was_removed_since_it_was_opened_is_missing(cog, s3_bucket):
    with open_scene(f"{s3_bucket}/scenes/a.tif") as scene:
        Folder(f"{s3_bucket}/scenes").delete("a.tif")
        with pytest.raises(MissingRaster, match="there no longer"):
            scene.read(FAR_CORNER)


def test_a_scene_that_took_the_place_of_another_is_the_one_that_is_read(cog, pixels, s3_bucket):
    with open_scene(f"{s3_bucket}/scenes/a.tif") as scene:
        scene.read(FAR_CORNER)
    write_cog(cog, pixels[:, ::-1], SPEC)
    Folder(f"{s3_bucket}/scenes").upload("a.tif", cog)
    with open_scene(f"{s3_bucket}/scenes/a.tif") as scene:
        assert np.array_equal(scene.read(FAR_CORNER)[0], pixels[:, ::-1][:, -100:, -100:])
