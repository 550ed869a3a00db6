"""The step as a whole: done once, never half, the same wherever the data lie."""

import pandas as pd
import pytest
import yaml

import components.sampler.run
import components.sampler.zonal
from components.sampler.component import aggregator
from components.sampler.config import CellsConfig
from components.sampler.run import aggregate_cells
from eartheye.contracts import Cells
from eartheye.errors import ConflictingOutput, StoreFull
from eartheye.store import Folder
from tests.components.sampler_data import Data
from tests.limits import file_size_limit


@pytest.fixture
def data(tmp_path):
    return Data(tmp_path)


def test_strips_and_chunks_change_nothing(data, monkeypatch):
    whole, _ = data.aggregate("whole")
    monkeypatch.setattr(components.sampler.run, "STRIP_CELLS", 7)
    monkeypatch.setattr(components.sampler.zonal, "CHUNK_PARTS", 1000)
    parts, table = data.aggregate("parts")
    assert table.equals(pd.read_parquet(data.path / "whole" / "cells.parquet"))
    assert (parts.count, parts.left_out) == (whole.count, whole.left_out)


def test_a_finished_folder_is_returned_untouched(data):
    first, _ = data.aggregate()
    written = (data.path / "cells" / "cells.parquet").stat().st_mtime_ns
    assert data.aggregate()[0] == first
    assert (data.path / "cells" / "cells.parquet").stat().st_mtime_ns == written


def test_other_data_or_configuration_does_not_overwrite(data):
    data.aggregate()
    with pytest.raises(ConflictingOutput):
        data.aggregate(min_land_share=0.5)
    with pytest.raises(ConflictingOutput):
        data.with_(cell_km=3).aggregate()
    data.with_(cell_km=1).write_plane(0.001, 310, 300)
    with pytest.raises(ConflictingOutput):
        data.aggregate()


def test_a_full_disk_leaves_nothing_that_looks_finished(data):
    with file_size_limit(3000), pytest.raises(StoreFull):
        data.aggregate()
    assert list((data.path / "cells").iterdir()) == []
    assert data.aggregate()[0].count > 0


def test_the_kubeflow_face_reads_the_catalogue_and_does_the_same(data):
    made, _ = data.aggregate()
    (data.path / "catalogue.yaml").write_text(yaml.safe_dump(data.catalogue.model_dump(mode="json", exclude_defaults=True)))
    face, config = str(data.path / "face"), {"min_land_share": 0.0}
    assert aggregator.python_func(data=str(data.path), catalogue=str(data.path / "catalogue.yaml"), config=config, cells=face) == face
    assert Cells.read(Folder(face)) == made


@pytest.mark.server
def test_a_data_folder_in_a_bucket_gives_the_same_cells(data, s3_bucket):
    made, _ = data.aggregate()
    remote = Folder(f"{s3_bucket}/data")
    for name in ("cover.tif", "dem.tif", "regions.gpkg"):
        remote.upload(name, data.path / name)
    assert aggregate_cells(remote.root, data.catalogue, CellsConfig(min_land_share=0.0), remote / "cells") == made
