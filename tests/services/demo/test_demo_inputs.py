"""What a demonstration is run on, and what it refuses before it makes anything."""

import numpy as np
import pytest
import yaml
from rasterio.warp import transform_bounds

from eartheye.errors import FolderRefused, InvalidCatalogue, InvalidConfig, InvalidSettings
from eartheye.grid import EaseGrid
from pipelines.config import read_chain
from services.demo.run import choose_inputs, fingerprint, run_demo, shipped
from services.world.config import DEMO_FROM_KM, PROJECTION, WorldConfig
from services.world.create import create_world


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "world"
    create_world(folder, size_km=1.0)
    return folder


def test_a_folder_of_the_synthetic_world_takes_the_chain_that_is_shipped_for_it(world, tmp_path):
    inputs = choose_inputs(tmp_path, world, None, None)
    assert (inputs.data, inputs.catalogue, inputs.chain.name) == (world, world / "catalogue.yaml", "world.yaml")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scene": "mosaic_1999Q1.tif"}, "map 'landcover-2024q3': mosaic_1999Q1.tif is no scene of "),
        ({"model": "roofs"}, r"is titled 'roofs': add one, or name one of \['landcover'\]"),
    ],
    ids=["scene", "model"],
)
def test_a_map_that_the_report_knows_nothing_of_is_refused_before_a_step_runs(change, said, world, tmp_path):
    chain = yaml.safe_load(shipped("chains/world.yaml").read_text())
    chain["maps"][0] |= change
    (tmp_path / "chain.yaml").write_text(yaml.safe_dump(chain))
    with pytest.raises(InvalidConfig, match=said):
        run_demo(tmp_path / "run", data=world, catalogue=None, chain=tmp_path / "chain.yaml", size_km=1.0, seed=0)
    assert not (tmp_path / "run" / "pipeline.log").exists()


def test_another_data_folder_needs_a_chain(tmp_path):
    (tmp_path / "catalogue.yaml").write_text("title: t\nlicence: CC0\nattribution: nobody\n")
    with pytest.raises(InvalidCatalogue, match="give --chain FILE"):
        choose_inputs(tmp_path / "run", tmp_path, None, None)


@pytest.mark.parametrize(
    ("given", "refused"),
    [({"chain": "nope.yaml"}, InvalidConfig), ({"catalogue": "nope.yaml"}, InvalidCatalogue)],
    ids=["chain", "catalogue"],
)
def test_a_file_that_is_not_there_is_told_before_a_world_is_drawn(given, refused, tmp_path):
    wanted = {"data": None, "catalogue": None, "chain": None} | {name: tmp_path / file for name, file in given.items()}
    with pytest.raises(refused, match=r"nope\.yaml is missing"):
        run_demo(tmp_path / "run", size_km=1.0, seed=0, **wanted)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("data", [None, "world"], ids=["to be made", "made"])
def test_a_world_with_too_few_sites_for_the_shipped_chain_is_refused_before_anything_is_made(data, world, tmp_path):
    given = world if data else None
    with pytest.raises(
        InvalidConfig, match=r"a world of 1 km has fewer sites .*: take one of 8 km, or give a --chain of fewer target_sites"
    ):
        run_demo(tmp_path / "run", data=given, catalogue=None, chain=None, size_km=1.0, seed=0)
    assert not (tmp_path / "run").exists()


def test_the_smallest_world_of_the_demonstration_has_the_sites_that_its_chain_draws():
    wanted = max(sampling.sampler.target_sites for sampling in read_chain(shipped("chains/world.yaml")).samplings)
    config = WorldConfig(size_km=DEMO_FROM_KM)
    (left, top), side_m = config.upper_left_m, config.size_m
    west, south, east, north = transform_bounds(PROJECTION, "EPSG:4326", left, top - side_m, left + side_m, top)
    lon, lat = EaseGrid(1).centre(EaseGrid(1).cells(EaseGrid(1).window(west, south, east, north)))
    assert np.count_nonzero((west < lon) & (lon < east) & (south < lat) & (lat < north)) >= wanted


def test_servers_that_do_not_answer_are_told_before_a_world_is_drawn(tmp_path):
    with pytest.raises(InvalidSettings, match="run `eartheye stack up`"):
        run_demo(tmp_path / "run", data=None, catalogue=None, chain=None, size_km=8.0, seed=0, stack=tmp_path / ".stack")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("run", ["notes", "notes/run", "/proc/run"])
def test_a_run_folder_that_cannot_be_made_is_told(run, tmp_path):
    (tmp_path / "notes").touch()
    with pytest.raises(FolderRefused, match=r"cannot be made or written to \(.*\): choose another folder"):
        run_demo(tmp_path / run, data=None, catalogue=None, chain=None, size_km=8.0, seed=0)


def test_a_run_inside_the_data_folder_does_not_change_what_it_is_made_from(tmp_path):
    catalogue = tmp_path / "catalogue.yaml"
    catalogue.write_text("title: t\nlicence: CC0\nattribution: nobody\n")
    inputs = choose_inputs(tmp_path / "run", tmp_path, None, shipped("chains/world.yaml"))
    config = read_chain(inputs.chain)
    before = fingerprint(tmp_path / "run", inputs, config, "")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "report.html").write_text("<html>")
    assert fingerprint(tmp_path / "run", inputs, config, "") == before
    (tmp_path / "scene.tif").write_bytes(b"new")
    assert fingerprint(tmp_path / "run", inputs, config, "") != before


def test_files_of_a_world_inside_the_run_count(world):
    inputs = choose_inputs(world.parent, None, None, None)
    config = read_chain(inputs.chain)
    before = fingerprint(world.parent, inputs, config, "")
    (world / "added.tif").write_bytes(b"new")
    assert fingerprint(world.parent, inputs, config, "") != before
    (world / "added.tif").unlink()
