"""The drawing of sites: strata, equation (1), and which cells are chosen."""

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.sampler.allocation import allocate
from components.sampler.component import aggregator, sampler
from components.sampler.config import ClassRatio, SamplerConfig
from components.sampler.run import SitesPlan, plan_sites, sample_sites
from components.sampler.selection import hash_cells, select
from components.sampler.strata import stratify
from eartheye.contracts import Cells, Sites
from eartheye.errors import ConflictingOutput, CorruptBulk, IncompleteCells, InvalidConfig, NotEnoughCells, NotFinished
from eartheye.grid import EaseGrid
from eartheye.store import Folder

COUNT = 2000


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    cell = np.sort(rng.choice(EaseGrid(1).rows * EaseGrid(1).columns, COUNT, replace=False))
    lon, lat = EaseGrid(1).centre(cell)
    columns = {
        "cell": cell,
        "region": rng.integers(1, 5, COUNT).astype(np.int32),
        "land_class": rng.choice(np.arange(1, 8, dtype=np.uint8), COUNT, p=[0.3, 0.3, 0.2, 0.05, 0.02, 0.03, 0.1]),
        **{f"share_{number}": np.full(COUNT, 1 / 7, np.float32) for number in range(1, 8)},
        "elevation_m": rng.gamma(1.0, 600, COUNT).astype(np.float32),
        "lon": lon,
        "lat": lat,
    }
    return pa.table(columns)


def finish_cells(folder, table):
    with folder.create("cells.parquet") as file:
        pq.write_table(table, file, row_group_size=700)
    bulk = folder.bulk("cells.parquet")
    Cells(made_from="test", table=bulk, count=table.num_rows, cell_km=1, regions={1: "One"}, left_out={}).finish(folder)
    return folder


@pytest.fixture
def cells(table, tmp_path):
    return finish_cells(Folder(tmp_path / "cells"), table)


def test_allocation_is_equation_1():
    quota = allocate(np.array([100, 300, 50]), np.array([1, 1, 2]), np.array([0, 0.8, 0.2]), target_sites=50)
    assert quota.tolist() == [10, 30, 10]


def test_a_stratum_of_one_cell_still_gets_its_site():
    assert allocate(np.array([1, 9999]), np.array([1, 1]), np.array([0, 1.0]), target_sites=10).tolist() == [1, 10]


def test_a_stratum_gives_no_more_than_it_has():
    assert allocate(np.array([3, 97]), np.array([1, 2]), np.array([0, 0.9, 0.1]), target_sites=50).tolist() == [3, 5]


def test_a_class_of_ratio_zero_gets_none():
    assert allocate(np.array([5, 5]), np.array([1, 2]), np.array([0, 1.0, 0.0]), target_sites=4).tolist() == [4, 0]


def strata_of(region, land_class, elevation_m, interval_m=500.0):
    return stratify(np.array(region, np.int32), np.array(land_class, np.uint8), np.array(elevation_m, np.float32), interval_m)


def test_the_last_interval_takes_in_what_the_floor_leaves_over():
    assert strata_of([1] * 4, [1] * 4, [0.0, 499.0, 500.0, 1250.0])[0].tolist() == [0, 0, 1, 1]


def test_intervals_count_from_the_lowest_cell_of_a_region_and_class():
    stratum, land_class = strata_of([1, 1, 2, 2, 1], [1, 1, 1, 1, 3], [-400.0, 600.0, 90.0, 1090.0, 0.0])
    assert stratum.tolist() == [0, 1, 3, 4, 2]
    assert land_class.tolist() == [1, 1, 3, 1, 1]


def test_an_interval_without_a_cell_is_no_stratum():
    stratum, land_class = strata_of([1, 1, 1], [2, 2, 2], [0.0, 10.0, 3000.0])
    assert stratum.tolist() == [0, 0, 1]
    assert land_class.tolist() == [2, 2]


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 7), st.floats(-400, 8000, width=32)), min_size=1, max_size=60))
def test_a_stratum_has_one_region_one_class_and_a_span_below_two_intervals(rows):
    region, land_class, elevation_m = (np.array(column) for column in zip(*rows, strict=True))
    stratum, class_of_stratum = strata_of(region, land_class, elevation_m)
    assert set(stratum) == set(range(len(class_of_stratum)))
    for number, its_class in enumerate(class_of_stratum):
        members = stratum == number
        assert len(set(region[members])) == 1
        assert set(land_class[members]) == {its_class}
        assert np.ptp(elevation_m[members]) < 1000.01


@given(st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_fewer_sites_are_a_subset_of_more(quota, seed):
    cell, stratum = np.arange(0, 300, 3), np.arange(100) % 4
    fewer, more = (set(select(cell, stratum, np.full(4, q), seed)) for q in (quota, quota + 5))
    assert fewer < more


@given(st.permutations(range(40)), st.integers(0, 2**32 - 1))
def test_the_choice_does_not_depend_on_the_order_of_the_cells(order, seed):
    cell, stratum, order = np.arange(0, 120, 3), np.arange(40) % 3, np.array(order)
    chosen = set(cell[select(cell, stratum, np.full(3, 4), seed)])
    assert set(cell[order][select(cell[order], stratum[order], np.full(3, 4), seed)]) == chosen


@pytest.mark.parametrize("share", [0.0001, 0.01, 0.3, 0.6, 1.0])
def test_the_cells_of_smallest_hash_are_chosen(share):
    rng = np.random.default_rng(1)
    cell = rng.choice(10**9, 100_000, replace=False)
    stratum = rng.choice(5, len(cell), p=[0.9, 0.0999, 0.00005, 0.00004, 0.00001])
    sizes = np.bincount(stratum, minlength=5)
    quota = np.minimum(np.maximum((sizes * share).astype(np.int64), 1), sizes)
    hashes = hash_cells(cell, 3)
    wanted = [row for s in range(5) for row in np.flatnonzero(stratum == s)[np.argsort(hashes[stratum == s])[: quota[s]]]]
    assert select(cell, stratum, quota, 3).tolist() == sorted(wanted)


def test_no_site_is_drawn_from_a_stratum_without_quota():
    rows = select(np.arange(10), np.arange(10) % 2, np.array([0, 2]), 0)
    assert (rows % 2).tolist() == [1, 1]


def test_sites_are_drawn_by_class_ratio_with_points_on_wgs84(cells, table, tmp_path):
    config = SamplerConfig(target_sites=400, interval_m=1000)
    drawn = sample_sites(cells, config, Folder(tmp_path / "sites"))
    sites = gpd.read_parquet(tmp_path / "sites" / "sites.parquet")
    assert drawn == Sites.read(Folder(tmp_path / "sites"))
    assert (drawn.count, drawn.cell_km) == (len(sites), 1)
    assert list(sites.columns) == [*table.column_names, "site", "stratum", "geometry"]
    assert sites.crs.to_epsg() == 4326
    assert np.array_equal(sites.geometry.x, sites.lon)
    assert (sites.site == sites.cell).all()
    assert sites.site.is_monotonic_increasing
    assert sites.stratum.nunique() == drawn.strata
    original = table.to_pandas().set_index("cell").loc[sites.cell]
    assert np.array_equal(original.elevation_m, sites.elevation_m)
    count = sites.land_class.value_counts()
    for number, ratio in enumerate(ClassRatio().model_dump().values(), 1):
        its_strata = sites.stratum[sites.land_class == number].nunique()
        available = (table["land_class"].to_numpy() == number).sum()
        assert abs(count[number] - min(400 * ratio, available)) <= its_strata


def test_another_seed_draws_other_sites_of_the_same_strata(cells, tmp_path):
    one, other = (
        gpd.read_parquet(tmp_path / name / "sites.parquet")
        for name, seed in (("one", 0), ("other", 1))
        if sample_sites(cells, SamplerConfig(target_sites=300, seed=seed), Folder(tmp_path / name))
    )
    assert one.stratum.value_counts().sort_index().equals(other.stratum.value_counts().sort_index())
    assert len(set(one.site) & set(other.site)) < len(one)


def test_the_same_input_makes_the_same_bytes(cells, tmp_path):
    config = SamplerConfig(target_sites=300)
    assert sample_sites(cells, config, Folder(tmp_path / "a")).table == sample_sites(cells, config, Folder(tmp_path / "b")).table


def test_a_finished_folder_is_returned_untouched(cells, tmp_path):
    sites, config = Folder(tmp_path / "sites"), SamplerConfig(target_sites=100)
    first = sample_sites(cells, config, sites)
    written = (tmp_path / "sites" / "sites.parquet").stat().st_mtime_ns
    assert sample_sites(cells, config, sites) == first
    assert (tmp_path / "sites" / "sites.parquet").stat().st_mtime_ns == written


def test_a_plan_counts_what_is_then_drawn_and_writes_nothing(cells, tmp_path):
    config, sites = SamplerConfig(target_sites=100, class_ratio=ClassRatio(water=0)), Folder(tmp_path / "sites")
    plan = plan_sites(cells, config, sites)
    assert not (tmp_path / "sites").exists()
    drawn = sample_sites(cells, config, sites)
    assert plan == SitesPlan(COUNT, drawn.strata, drawn.count, finished=False)
    assert plan_sites(cells, config, sites) == SitesPlan(COUNT, drawn.strata, drawn.count, finished=True)
    with pytest.raises(ConflictingOutput):
        plan_sites(cells, SamplerConfig(target_sites=101), sites)


def test_another_configuration_does_not_overwrite(cells, tmp_path):
    sample_sites(cells, SamplerConfig(target_sites=100), Folder(tmp_path / "sites"))
    with pytest.raises(ConflictingOutput, match="another input or configuration"):
        sample_sites(cells, SamplerConfig(target_sites=100, seed=1), Folder(tmp_path / "sites"))


def test_more_sites_than_cells_says_what_to_change(cells, tmp_path):
    with pytest.raises(NotEnoughCells, match="5,000 sites wanted, 2,000 cells given: lower target_sites"):
        sample_sites(cells, SamplerConfig(target_sites=5000), Folder(tmp_path / "sites"))


@pytest.mark.parametrize("hole", [None, float("nan")])
def test_a_cell_without_elevation_is_refused_and_nothing_is_written(table, tmp_path, hole):
    column = table.column_names.index("elevation_m")
    holed = table.set_column(column, "elevation_m", pa.array([hole, *table["elevation_m"].to_pylist()[1:]], pa.float32()))
    with pytest.raises(IncompleteCells, match="1 of 2000 cells have no elevation_m"):
        sample_sites(finish_cells(Folder(tmp_path / "cells"), holed), SamplerConfig(target_sites=100), Folder(tmp_path / "sites"))
    assert not (tmp_path / "sites").exists()


def test_cells_that_are_not_finished_are_refused(tmp_path):
    with pytest.raises(NotFinished):
        sample_sites(Folder(tmp_path / "cells"), SamplerConfig(target_sites=100), Folder(tmp_path / "sites"))


def test_cells_that_were_changed_by_hand_are_refused(cells, tmp_path):
    path = tmp_path / "cells" / "cells.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(CorruptBulk):
        sample_sites(cells, SamplerConfig(target_sites=100), Folder(tmp_path / "sites"))


def test_a_ratio_of_zero_for_every_class_is_refused():
    with pytest.raises(InvalidConfig, match="every class_ratio is 0"):
        ClassRatio(**dict.fromkeys(ClassRatio.model_fields, 0.0))


def test_the_kubeflow_face_does_the_same_with_numbers_as_floats(cells, tmp_path):
    config = {"target_sites": 100.0, "interval_m": 500.0, "seed": 0.0}
    assert sampler.python_func(cells=cells.root, config=config, sites=str(tmp_path / "face")) == str(tmp_path / "face")
    plain = sample_sites(cells, SamplerConfig(target_sites=100), Folder(tmp_path / "plain"))
    assert Sites.read(Folder(tmp_path / "face")) == plain
    assert aggregator.component_spec.inputs.keys() == {"data", "catalogue", "config", "cells"}
