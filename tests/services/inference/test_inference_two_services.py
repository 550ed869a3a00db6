"""Two inference services on the same broker and database, as a demonstration's beside an operator's: whoever works, who asks is told."""

import dataclasses

import numpy as np
import pytest
import rasterio

from eartheye.bus import Bus
from services.stack.kafka import kafka_server
from tests.servers.stack import running_servers
from tests.services.inference.place import QUICK, ask, make_place
from tests.services.inference.roles import inference_service

JOBS = {"flat": 0, "coarse": 500, "fine": 50}
"""Least area of a polygon, m², which makes each a map of its own of the same blocks."""


@pytest.fixture
def own_place(stack_programs, tmp_path):
    """On Kafka itself: librdkafka's broker is made for one service, and may refuse a group of two for good."""
    with running_servers([kafka_server()], tmp_path / "servers", stack_programs) as started:
        place = make_place(tmp_path, f"127.0.0.1:{started.ports['kafka']}")
        changes = {"kafka_api_version": None, "kafka_timeout_s": 60}
        yield dataclasses.replace(place, settings=place.settings.model_copy(update=changes))


@pytest.mark.server
def test_whichever_service_works_each_job_ends_with_the_map_of_one_pass(own_place):
    service, beside = (inference_service(own_place.settings, own_place.resolve, config=QUICK) for _ in range(2))
    with service, beside, Bus(own_place.settings) as bus:
        results = [ask(bus, own_place.request(job, min_area_m2=least)) for job, least in JOBS.items()]
    assert [(result.state, result.blocks_done, result.blocks_empty) for result in results] == [("done", 11, 1)] * len(JOBS)
    for job in JOBS:
        with rasterio.open(own_place.root / "maps" / job / "map.tif") as map_:
            np.testing.assert_array_equal(map_.read(1), own_place.one_pass())
