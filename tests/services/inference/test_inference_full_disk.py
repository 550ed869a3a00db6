"""A disk that is full while a map is made: nothing looks finished that is not, and the job goes on when there is room again."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from sqlalchemy.orm import Session

from eartheye.bus import Bus
from eartheye.contracts import Map
from eartheye.contracts.messages import Assembly, JobCommand
from eartheye.errors import StoreFull
from eartheye.store import Folder
from services.inference.tables import Job
from tests.limits import filled
from tests.services.inference.by_hand import ByHand
from tests.services.inference.place import Place

NO_ROOM = "No space left on device): free space, raise the limit or choose another folder"


@pytest.fixture
def by_hand(own_place: Place, small_disk: Path):
    """The service with its work on the small disk."""
    roots = (*own_place.settings.allowed_roots, str(small_disk))
    settings = own_place.settings.model_copy(update={"job_work": str(small_disk / "work"), "allowed_roots": roots})
    with Bus(settings) as bus:
        yield ByHand(replace(own_place, settings=settings), bus)


def assemble(by_hand: ByHand, job: str) -> None:
    """Have a job's map built that waits for it."""
    with Session(by_hand.engine) as session:
        row = session.get_one(Job, job)
        assert row.plan is not None
    by_hand.assembler.handle(Assembly(job=job, plan=row.plan))


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_block_waits_for_room_and_leaves_nothing_meanwhile(by_hand, own_place, small_disk):
    by_hand.ask(own_place.request("patient"))
    tasks = by_hand.sent()
    by_hand.work(tasks[1])
    before = files(small_disk / "work")
    with filled(small_disk):
        for _ in range(6):  # more often than a fault is borne
            with pytest.raises(StoreFull, match="no room to write"):
                by_hand.worker.handle(tasks[2])
        assert files(small_disk / "work") == before
    result = by_hand.finish("patient")
    assert (result.state, result.blocks_done, result.blocks_empty) == ("done", 11, 1)
    with rasterio.open(own_place.root / "maps" / "patient" / "map.tif") as map_:
        np.testing.assert_array_equal(map_.read(1), own_place.one_pass())


@pytest.mark.parametrize("left_bytes", [0, 8192, 16384, 24576])
def test_a_map_without_room_fails_its_job_with_the_reason_and_is_built_on_redrive(by_hand, own_place, small_disk, left_bytes):
    output = small_disk / "map"
    by_hand.ask(own_place.request("large", output=str(output)))
    by_hand.finish_blocks("large")
    with filled(small_disk, left_bytes):
        assemble(by_hand, "large")
        result = by_hand.result("large")
        assert (result.state, result.map) == ("failed", None)
        assert "no room to write" in result.reason
        assert NO_ROOM in result.reason
        assert not Folder(output).exists(Map.name)
    by_hand.ask(JobCommand(job="large", command="redrive"))
    assert by_hand.sent() == []  # no block is mapped again
    assert by_hand.finish("large").state == "done"
    assert files(output) == sorted([Map.name, "item.json", "map.tif", "polygons.parquet"])
    with rasterio.open(output / "map.tif") as map_:
        np.testing.assert_array_equal(map_.read(1), own_place.one_pass())


def test_a_full_disk_of_temporary_files_fails_the_job_with_the_reason(by_hand, own_place, small_disk, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    by_hand.ask(own_place.request("scratch"))
    by_hand.finish_blocks("scratch")
    with filled(small_disk):
        assemble(by_hand, "scratch")
    result = by_hand.result("scratch")
    assert (result.state, "no room to write" in result.reason) == ("failed", True)
    assert not (own_place.root / "maps" / "scratch").exists()
    assert [path for path in small_disk.iterdir() if path.name != "work"] == []
