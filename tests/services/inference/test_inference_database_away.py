"""A database that goes away while a message is handled is an outage: the message waits, and is not rejected after some attempts."""

import pytest

from eartheye.bus import Bus
from eartheye.contracts.messages import Assembly, JobRequest
from eartheye.database import connect
from eartheye.errors import DatabaseUnavailable
from eartheye.settings import Settings
from eartheye.tracking import resolve
from services.inference.assembler import Assembler
from services.inference.config import PlannerConfig
from services.inference.planner import Planner


def test_planner_and_assembler_tell_a_database_that_is_away_as_an_outage(tmp_path):
    settings = Settings(database_url=f"sqlite:///{tmp_path}/eartheye.db")
    engine = connect(settings)
    with Bus(settings) as bus:
        planner, assembler = Planner(bus, engine, resolve, settings, PlannerConfig()), Assembler(bus, engine)
        engine.dispose()
        (tmp_path / "eartheye.db").write_bytes(b"something else " * 1000)  # stands for a server that does not answer
        request = JobRequest(job="one", scene="s3://eartheye/scene.tif", model="landcover", output="s3://eartheye/map")
        with pytest.raises(DatabaseUnavailable, match="file is not a database"):
            planner.handle(request)
        with pytest.raises(DatabaseUnavailable, match="file is not a database"):
            assembler.handle(Assembly(job="one", plan="0" * 64))
