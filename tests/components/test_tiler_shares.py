"""Tiles cut by several processes that share the parts."""

import pytest

from components.tiler.run import cut_share, cut_tiles, share_out
from eartheye.errors import ConflictingOutput
from eartheye.store import Folder
from tests.components.tiler_data import CONFIG, files_below, write_data, write_sites


@pytest.fixture
def inputs(tmp_path):
    catalogue = write_data(tmp_path / "data")
    return str(tmp_path / "data"), catalogue, write_sites(Folder(tmp_path / "sites")), CONFIG


@pytest.mark.parametrize("shares", [1, 3, 50])
def test_shares_give_the_bytes_of_one_process(inputs, tmp_path, shares):
    cut_tiles(*inputs, Folder(tmp_path / "alone"))
    for share in reversed(share_out(*inputs, shares)):
        cut_share(*inputs, Folder(tmp_path / "shared"), share)
    assert not (tmp_path / "shared" / "manifest.json").exists()
    cut = {path: path.stat().st_mtime_ns for path in (tmp_path / "shared").rglob("*.*")}
    cut_tiles(*inputs, Folder(tmp_path / "shared"))
    assert {path: path.stat().st_mtime_ns for path in cut} == cut
    assert files_below(tmp_path / "shared") == files_below(tmp_path / "alone")


def test_shares_have_no_part_in_common(inputs, tmp_path):
    parts = []
    for share in share_out(*inputs, 3):
        cut_share(*inputs, Folder(tmp_path / str(share.number)), share)
        parts += [path.name for path in (tmp_path / str(share.number) / "parts").iterdir()]
    assert sorted(parts) == [f"{number:05d}" for number in range(len(parts))]
    assert len(parts) > 3


def test_a_share_of_a_finished_folder_is_left(inputs, tmp_path):
    tiles = Folder(tmp_path / "tiles")
    cut_tiles(*inputs, tiles)
    tiles.delete_all("parts/")
    (share,) = share_out(*inputs, 1)
    cut_share(*inputs, tiles, share)
    assert not (tmp_path / "tiles" / "parts" / "00000" / "manifest.json").exists()


def test_data_that_change_while_shares_are_cut_are_noticed(inputs, tmp_path):
    tiles = Folder(tmp_path / "tiles")
    (share,) = share_out(*inputs, 1)
    scene = tmp_path / "data" / "autumn.tif"
    scene.write_bytes(scene.read_bytes()[::-1])
    cut_share(*inputs, tiles, share)
    with pytest.raises(ConflictingOutput, match="parts/00000 was made from another input"):
        cut_tiles(*inputs, tiles)
