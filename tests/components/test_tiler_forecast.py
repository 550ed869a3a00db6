"""What the tiler says it would cut, held against what it cuts."""

import pytest

from components.tiler.config import TilerConfig
from components.tiler.forecast import forecast_tiles
from components.tiler.run import cut_share, cut_tiles, share_out
from eartheye.errors import ConflictingOutput, NotEnoughTiles, TargetTooLarge
from eartheye.store import Folder
from tests.components.tiler_data import CONFIG, SITES, files_below, write_data, write_sites


@pytest.fixture
def given(tmp_path):
    """What `cut_tiles` is given."""
    catalogue = write_data(tmp_path / "data")
    return str(tmp_path / "data"), catalogue, write_sites(Folder(tmp_path / "sites")), CONFIG, Folder(tmp_path / "tiles")


def test_the_counts_are_those_of_the_run_and_nothing_is_written(given, tmp_path):
    before = files_below(tmp_path)
    forecast = forecast_tiles(*given)
    assert files_below(tmp_path) == before
    assert not (tmp_path / "tiles").exists()
    assert (forecast.sites, forecast.scenes, forecast.at_sites) == (SITES, 2, 2 * SITES)
    assert (forecast.over_scenes, forecast.images) == (9, 3)

    tiles = cut_tiles(*given)
    assert tiles.count == forecast.at_sites + forecast.over_scenes + forecast.images
    assert len(list((tmp_path / "tiles" / "parts").iterdir())) == forecast.parts
    assert forecast.size_bytes == pytest.approx(tiles.count * 3 * 64 * 64, rel=0.01)  # noise cannot be compressed
    assert forecast.size_bytes < sum(shard.size for shard in tiles.shards)
    assert (forecast.tried, forecast.rejections) == (tiles.count, ())


def test_parts_that_are_done_are_not_counted(given):
    whole = forecast_tiles(*given)
    first, second = share_out(*given[:-1], shares=2)
    cut_share(*given, first)
    rest = forecast_tiles(*given)
    assert (rest.parts, rest.done) == (whole.parts // 2, whole.parts - whole.parts // 2)
    assert 0 < rest.at_sites + rest.over_scenes + rest.images < whole.at_sites + whole.over_scenes + whole.images
    assert 0 < rest.size_bytes < whole.size_bytes
    cut_share(*given, second)
    assert (forecast_tiles(*given).parts, forecast_tiles(*given).size_bytes) == (0, 0)
    cut_tiles(*given)
    assert forecast_tiles(*given) is None


def test_what_the_run_would_refuse_is_refused(given):
    data, catalogue, sites, _, tiles = given
    cut_tiles(*given)
    with pytest.raises(ConflictingOutput, match="another input or configuration"):
        forecast_tiles(data, catalogue, sites, TilerConfig(chip_px=32), tiles)


def test_rejections_of_the_trial_are_told(given):
    data, catalogue, sites, _, tiles = given
    forecast = forecast_tiles(data, catalogue, sites, TilerConfig(chip_px=300), tiles)
    too_large = "tile larger than the scene: 300 px of 192 x 192, set its chip_px"
    assert forecast.rejections.count(too_large) == 1
    assert forecast.tried - len(forecast.rejections) == cut_tiles(data, catalogue, sites, TilerConfig(chip_px=300), tiles).count


@pytest.mark.parametrize(
    ("changes", "error"),
    [({"images": ()}, TargetTooLarge), ({"images": (), "scenes": ()}, NotEnoughTiles)],
)
def test_what_certainly_gives_no_tile_fails_as_the_run_does(given, changes, error):
    data, catalogue, _, _, tiles = given
    covered = tuple(scene for scene in catalogue.scenes if scene.cut == "cover")
    nothing = data, catalogue.model_copy(update={"scenes": covered} | changes), None, TilerConfig(chip_px=5000), tiles
    told = []
    for step in (forecast_tiles, cut_tiles):
        with pytest.raises(error, match="no tile could be cut") as caught:
            step(*nothing)
        told.append(str(caught.value))
    assert told[0] == told[1]
