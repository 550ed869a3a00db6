import pytest

from eartheye.contracts import Cells, Manifest, ModelPackage, Sites, Tiles
from eartheye.contracts.manifest import NAMES
from eartheye.errors import NotFinished, UnreadableManifest
from eartheye.store import Bulk, Folder
from services.world.config import WorldConfig
from services.world.create import World

TABLE = Bulk(name="table.parquet", size=0, sha256="0" * 64)


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def test_a_folder_without_any_manifest_is_not_finished(folder):
    with pytest.raises(NotFinished, match="is not finished: run the step that makes it first"):
        Cells.read(folder)


def test_a_folder_of_another_kind_is_called_what_it_is(folder):
    Sites(made_from="x", table=TABLE, count=1, strata=1, cell_km=1).finish(folder)
    with pytest.raises(UnreadableManifest, match=r"is a folder of sites, not of tiles: give the folder of tiles"):
        Tiles.read(folder)


def test_a_folder_whose_manifest_has_another_name_is_called_what_it_is(folder):
    Sites(made_from="x", table=TABLE, count=1, strata=1, cell_km=1).finish(folder)
    with pytest.raises(UnreadableManifest, match=r"is a folder of sites, not of a model: give the folder of a model"):
        ModelPackage.read(folder)


def test_a_world_is_no_folder_of_cells(folder):
    World(made_from="x", config=WorldConfig(), files=()).finish(folder)
    with pytest.raises(UnreadableManifest, match=r"is a folder of a synthetic world, not of cells"):
        Cells.read(folder)


def test_every_name_of_a_manifest_is_looked_for():
    assert {cls.name for cls in Manifest.__subclasses__()} <= set(NAMES)


def test_a_manifest_that_is_none_is_told(folder):
    with folder.create("manifest.json") as file:
        file.write(b"{}")
    with pytest.raises(UnreadableManifest, match=r"manifest\.json is not a manifest: delete the folder"):
        Cells.read(folder)
    with pytest.raises(NotFinished):
        ModelPackage.read(folder)
