"""What the sampler says it would describe, held against what it describes."""

import numpy as np
import pytest
import shapely

import components.sampler.forecast
from components.sampler.config import CellsConfig
from components.sampler.forecast import forecast_cells
from eartheye.errors import ConflictingOutput, EmptyArea, InvalidCatalogue, UnknownLandCover
from eartheye.store import Folder
from tests.components.sampler_data import Data, patches, write
from tests.components.tiler_data import files_below


@pytest.fixture
def data(tmp_path):
    return Data(tmp_path)


def forecast(data, **config):
    return forecast_cells(str(data.path), data.catalogue, CellsConfig(**{"min_land_share": 0.0} | config), Folder(data.path / "cells"))


def test_the_counts_are_those_of_the_run_and_nothing_is_written(data):
    before = files_below(data.path)
    told = forecast(data, min_land_share=0.95)
    assert files_below(data.path) == before
    assert not (data.path / "cells").exists()
    made, _ = data.aggregate(min_land_share=0.95)
    assert told.cell_km == made.cell_km
    assert told.cells == made.count + sum(made.left_out.values())
    assert (told.tried, told.left_out) == (told.cells, made.left_out)  # the area is so small that all of it is tried
    assert told.left_out["less than 95% land"] > 0
    assert told.size_bytes == made.table.size
    assert told.seconds > 0
    assert forecast(data, min_land_share=0.95) is None


def test_of_a_larger_area_a_few_strips_are_tried(data, monkeypatch):
    whole = forecast(data)
    monkeypatch.setattr(components.sampler.forecast, "TRIED_CELLS", 1)
    monkeypatch.setattr(components.sampler.forecast, "TRIED_STRIPS", 2)
    part = forecast(data)
    assert part.cells == whole.cells
    assert 0 < part.tried < whole.cells
    assert part.size_bytes > 0


def test_cells_of_the_scenes_alone_are_counted_where_these_are_wanted(data):
    write(data.path / "scene.tif", patches(100, 100), data.cover_transform, "EPSG:32650")
    data.with_(scenes=[{"path": "scene.tif", "sensor": "s", "bands": ["pan"], "channels": ["pan"]}])
    told = forecast(data, area="footprints")
    assert told.cells < forecast(data).cells
    made, _ = data.aggregate(area="footprints")
    assert told.cells == made.count + sum(made.left_out.values())


def test_what_the_run_would_refuse_is_refused(data):
    with pytest.raises(InvalidCatalogue, match="which is not in"):
        forecast(data.with_(land_cover={"path": "none.tif", "legend": "worldcover"}))
    write(data.path / "cover.tif", np.full((500, 600), 11, np.uint8), data.cover_transform, "EPSG:32650")
    with pytest.raises(UnknownLandCover):
        forecast(data.with_(land_cover={"path": "cover.tif", "legend": "worldcover"}))


def test_an_area_without_a_cell_fails_as_the_run_does(data):
    data.write_regions([(1, "Elsewhere", shapely.box(10, 10, 11, 11))])
    told = []
    for step in (forecast, lambda data: data.aggregate()):
        with pytest.raises(EmptyArea, match="no cell of 1 km is left to draw from") as caught:
            step(data)
        told.append(str(caught.value))
    assert told[0] == told[1]


def test_a_folder_of_another_configuration_is_refused(data):
    data.aggregate()
    with pytest.raises(ConflictingOutput):
        forecast(data, min_land_share=0.5)
