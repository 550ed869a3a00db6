"""The first steps of a pipeline on a cluster: data, catalogue and run lie in buckets."""

import geopandas as gpd
import pytest
import shapely
import yaml

from components.sampler.component import aggregator, sampler
from components.sampler.config import CellsConfig, SamplerConfig
from components.sampler.run import aggregate_cells, sample_sites
from components.tiler.component import tile_share, tiler, tiling_plan
from components.tiler.run import cut_tiles
from eartheye.contracts import Cells, Sites, Tiles, read_catalogue
from eartheye.errors import InvalidCatalogue
from eartheye.store import Folder
from pipelines.steps import configuration
from services.cli.data import cells as cells_command
from services.cli.data import tile as tile_command
from tests.components.sampler_data import Data
from tests.components.tiler_data import CONFIG, write_data

CELLS = {"min_land_share": 0.0}
SAMPLER = {"target_sites": 6}
LAND = {"value": 1, "name": "land", "colour": "#808080"}
FIELD = {"value": 2, "name": "field", "colour": "#e3c565"}
FIELDS = {"kind": "vector", "name": "fields", "path": "fields.gpkg", "scene": "covered.tif", "background": LAND, "foreground": FIELD}
SAMPLES = {"label_set": "fields", "input_px": 56}
CHAIN = {
    "name": "small",
    "samplings": [{"title": "tiles", "cells": CELLS, "sampler": SAMPLER}],
    "tiler": CONFIG.model_dump(mode="json"),
    "tiling_pods": 2,
    "evaluator": {"samples": SAMPLES},
    "heads": [{"finetuner": {"title": "fields", "task": "segmentation", "samples": SAMPLES}}],
    "maps": [{"title": "map", "model": "fields", "scene": "covered.tif"}],
}


@pytest.fixture
def data(tmp_path):
    """A folder with scenes, images, polygons drawn on a scene, and the layers that cells are described by."""
    folder = tmp_path / "data"
    scenes = write_data(folder)
    layers = Data(folder)
    field = shapely.box(500_200, 3_318_600, 500_900, 3_319_500)
    gpd.GeoDataFrame(geometry=[field], crs="EPSG:32650").to_file(folder / "fields.gpkg")
    fields = layers.catalogue.model_dump(mode="json") | scenes.model_dump(mode="json", include={"scenes", "images"}) | {"labels": [FIELDS]}
    (folder / "catalogue.yaml").write_text(yaml.safe_dump(fields))
    return folder


@pytest.fixture
def bucket(data, s3_bucket):
    """The same folder in a bucket."""
    folder = Folder(s3_bucket) / "data"
    for path in data.rglob("*"):
        if path.is_file():
            folder.upload(str(path.relative_to(data)), path)
    return s3_bucket


def test_cells_sites_and_tiles_of_data_in_a_bucket_are_those_of_a_directory(data, bucket, tmp_path):
    place, catalogue, root = f"{bucket}/data", f"{bucket}/data/catalogue.yaml", f"{bucket}/run"
    steps = configuration.python_func(CHAIN, place, catalogue, root)
    assert steps.sites == f"{root}/sampling/tiles/sites"
    cells = aggregator.python_func(place, catalogue, CELLS, f"{root}/sampling/tiles/cells")
    sites = sampler.python_func(cells, SAMPLER, steps.sites)
    shares = tiling_plan.python_func(place, catalogue, sites, steps.tiler, steps.tiling_pods)
    assert len(shares) == 2
    for share in shares:
        tile_share.python_func(place, catalogue, **share, tiles=f"{root}/tiles")
    tiles = tiler.python_func(place, catalogue, sites, steps.tiler, f"{root}/tiles")

    here, given = Folder(tmp_path / "run"), read_catalogue(data / "catalogue.yaml")
    assert Cells.read(Folder(cells)) == aggregate_cells(str(data), given, CellsConfig(**CELLS), here / "cells")
    assert Sites.read(Folder(sites)) == sample_sites(here / "cells", SamplerConfig(**SAMPLER), here / "sites")
    assert Tiles.read(Folder(tiles)) == cut_tiles(str(data), given, here / "sites", CONFIG, here / "tiles")


def test_the_commands_take_the_catalogue_of_the_bucket_or_one_beside_it(data, bucket, capsys):
    beside = str(data / "catalogue.yaml")
    for dry_run in (True, False):
        cells_command(f"{bucket}/data/", f"{bucket}/cells", dry_run=dry_run, config=CellsConfig(**CELLS))
    sample_sites(Folder(f"{bucket}/cells"), SamplerConfig(**SAMPLER), Folder(f"{bucket}/sites"))
    for dry_run in (True, False):
        tile_command(f"{bucket}/data", f"{bucket}/tiles", sites=f"{bucket}/sites", catalogue=beside, dry_run=dry_run, config=CONFIG)
    cells, tiles = Cells.read(Folder(f"{bucket}/cells")), Tiles.read(Folder(f"{bucket}/tiles"))
    told = capsys.readouterr().out
    assert told.count("nothing was written") == 2
    assert f"{cells.count} cells of 1 km in 2 regions in {bucket}/cells\n" in told
    assert f"{tiles.count} tiles in " in told


def test_a_catalogue_that_is_not_in_the_bucket_is_named(s3_bucket):
    with pytest.raises(InvalidCatalogue, match=rf"{s3_bucket}/world/catalogue\.yaml is missing"):
        configuration.python_func(CHAIN, f"{s3_bucket}/world", f"{s3_bucket}/world/catalogue.yaml", f"{s3_bucket}/run")
