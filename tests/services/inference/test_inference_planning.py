"""A request planned without the service, held against the job."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from eartheye.bus import Bus
from eartheye.database import connect
from eartheye.errors import ConflictingOutput, WrongBands
from eartheye.store import folder
from eartheye.store.directory import DirectoryStore
from eartheye.telemetry import Pulse
from services.inference import planner
from services.inference.planning import plan_job, store_plan
from services.inference.tables import Block, Plan
from services.schema.migrate import upgrade
from tests.services.inference.at_once import meet_before
from tests.services.inference.place import QUICK, Place, ask
from tests.services.inference.roles import inference_service

CHUNK_BYTES = 4096


def test_a_plan_counts_what_the_job_then_does_and_writes_nothing(place: Place, bus: Bus):
    request = place.request("planned", area=(400_020.0, 5_499_920.0, 400_120.0, 5_500_000.0))
    before = sorted(place.root.rglob("*"))
    planned = plan_job(request, place.resolve, place.settings, QUICK.block_px)
    assert sorted(place.root.rglob("*")) == before
    assert planned.made is None
    assert sum(block.window.width * block.window.height for block in planned.blocks) == planned.plan.area_width * planned.plan.area_height

    with inference_service(place.settings, place.resolve, config=QUICK):
        result = ask(bus, request)
    assert result.state == "done"
    assert result.blocks_done + result.blocks_empty == len(planned.blocks)
    again = plan_job(request, place.resolve, place.settings, QUICK.block_px)
    assert again.made is not None
    assert again.plan.plan == planned.plan.plan
    with pytest.raises(ConflictingOutput):
        plan_job(request.model_copy(update={"area": None}), place.resolve, place.settings, QUICK.block_px)


def test_a_plan_is_refused_as_the_job_would_be(place: Place):
    with pytest.raises(WrongBands):
        plan_job(place.request("wrong", bands=("nir", "green", "blue")), place.resolve, place.settings, QUICK.block_px)


def test_one_plan_stored_by_two_planners_at_once_is_there_once(place: Place, new_postgres):
    engine = connect(place.settings.model_copy(update={"database_url": new_postgres()}))
    upgrade(engine)

    def store(job: str) -> str:
        planned = plan_job(place.request(job), place.resolve, place.settings, QUICK.block_px)
        with Session(engine) as session, session.begin():
            return store_plan(session, planned.plan, planned.blocks)

    with meet_before(engine, "INSERT INTO plans", 2), ThreadPoolExecutor(2) as pool:
        stored = set(pool.map(store, ["one", "other"]))
    with Session(engine) as session:
        assert set(session.scalars(select(Plan.plan))) == stored
        assert session.scalar(select(func.count()).select_from(Block)) == 12
    engine.dispose()


def test_a_scene_that_takes_hours_to_read_is_read_by_a_planner_that_lives(place: Place, bus: Bus, monkeypatch):
    clock, faults, read_range = [0.0], [], DirectoryStore.read_range
    pulse = Pulse(lambda: clock[0])

    def read_slowly(store: DirectoryStore, name: str, start: int, length: int) -> bytes:
        if length == CHUNK_BYTES and threading.current_thread().name == "planner":
            clock[0] += planner.TURN_S * 0.9
            faults.append(pulse.fault() or "")
        return read_range(store, name, start, length)

    monkeypatch.setattr(DirectoryStore, "read_range", read_slowly)
    monkeypatch.setattr(folder, "FETCH_CHUNK_BYTES", CHUNK_BYTES)
    for module in (planner, folder):
        monkeypatch.setattr(module, "PULSE", pulse)
    with inference_service(place.settings, place.resolve, config=QUICK):
        assert ask(bus, place.request("large")).state == "done"
    assert len(faults) > 10
    assert not [fault for fault in faults if "plan_asked" in fault]
