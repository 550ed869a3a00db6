"""The same job with everything in a bucket: scene, model, blocks and map. The server is a real MinIO."""

import numpy as np
import pytest
import rasterio

from eartheye.bus import Bus
from eartheye.contracts import Map
from eartheye.settings import load
from eartheye.store import Folder
from tests.services.inference.by_hand import ByHand
from tests.services.inference.place import Place, Served, write_package

pytestmark = pytest.mark.server


def test_a_job_in_a_bucket_gives_the_map_of_a_directory(own_place, s3_bucket):
    Folder(f"{s3_bucket}/open").upload("scene.tif", own_place.scene)
    package = write_package(Folder(f"{s3_bucket}/serving"))
    served = Served(1, f"{s3_bucket}/serving", package.digest)
    settings = load().model_copy(
        update={
            **own_place.settings.model_dump(include={"kafka_bootstrap", "kafka_api_version", "database_url", "predictor_threads"}),
            "allowed_roots": (f"{s3_bucket}/open",),
            "job_work": f"{s3_bucket}/work",
        }
    )
    there = Place(own_place.root, settings, {("landcover", "champion"): served}, package)
    with Bus(settings) as bus:
        by_hand = ByHand(there, bus)
        by_hand.ask(there.request("cloud", scene=f"{s3_bucket}/open/scene.tif", output=f"{s3_bucket}/open/maps/cloud"))
        result = by_hand.finish("cloud")
        by_hand.ask(there.request("greedy", scene=f"{s3_bucket}/serving/model.onnx", output=f"{s3_bucket}/open/maps/greedy"))
        assert "outside the folders" in by_hand.result("greedy").reason
    assert (result.state, result.map, result.blocks_done) == ("done", f"{s3_bucket}/open/maps/cloud", 11)
    folder = Folder(result.map)
    with rasterio.open(folder.local(Map.read(folder).raster)) as map_:
        np.testing.assert_array_equal(map_.read(1), own_place.one_pass())
