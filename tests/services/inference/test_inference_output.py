"""Where a map may go: not where another one lies, or is about to."""

import datetime as dt
import shutil
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import event, update
from sqlalchemy.orm import Session

from eartheye.bus import Bus
from eartheye.contracts import Map
from eartheye.contracts.messages import Assembly, JobCommand
from eartheye.database import connect
from eartheye.errors import ConflictingOutput, OutputBusy
from eartheye.store import Folder
from services.inference import assembler
from services.inference.admission import admit
from services.inference.map_folder import build_map
from services.inference.output import see_output_free
from services.inference.tables import Job
from services.schema.migrate import upgrade
from tests.services.inference.by_hand import ByHand
from tests.services.inference.place import Place, write_scene
from tests.waiting import LIMIT_S


@pytest.fixture
def by_hand(own_place: Place):
    with Bus(own_place.settings) as bus:
        yield ByHand(own_place, bus)


@pytest.fixture
def ask(by_hand: ByHand, own_place: Place) -> Callable[..., None]:
    """Ask whether a job may write to the folder `map`."""

    def look(job: str, **changes: object) -> None:
        request = own_place.request(job, output=str(own_place.root / "map"), **changes)
        with Session(by_hand.engine) as session:
            see_output_free(session, request, admit(request, own_place.resolve, own_place.settings))

    return look


def test_the_output_of_a_job_at_work_is_taken_until_it_is_cancelled(by_hand, own_place, ask):
    ask("late", min_area_m2=9.0)
    by_hand.ask(own_place.request("at-work", output=str(own_place.root / "map")))
    with pytest.raises(ConflictingOutput, match="takes the map of job 'at-work': choose another folder"):
        ask("late", min_area_m2=9.0)
    ask("same")
    by_hand.ask(JobCommand(job="at-work", command="cancel"))
    ask("late", min_area_m2=9.0)


def test_the_output_of_jobs_still_to_be_planned_is_the_first_one_s(by_hand, own_place, ask):
    by_hand.planner.handle(own_place.request("first", output=str(own_place.root / "map")))
    with pytest.raises(ConflictingOutput, match="takes the map of job 'first': choose another folder"):
        ask("second", min_area_m2=50.0)
    ask("same")
    by_hand.planner.handle(own_place.request("second", output=str(own_place.root / "map"), min_area_m2=50.0))
    with pytest.raises(ConflictingOutput, match="job 'first'"):  # as by a second planner, while one plans the first
        ask("second", min_area_m2=50.0)
    ask("first")


@pytest.mark.parametrize("statement", [1, 2, 3])
def test_a_job_that_is_planned_while_the_tables_are_asked_is_not_missed(statement, by_hand, own_place):
    folder = str(own_place.root / "map")
    by_hand.planner.handle(own_place.request("first", output=folder))
    request = own_place.request("second", output=folder, min_area_m2=50.0)
    admitted, statements = admit(request, own_place.resolve, own_place.settings), iter(range(1, 100))

    def plan_meanwhile(*_: object) -> None:
        if next(statements) == statement:
            by_hand.planner.plan_asked()

    with Session(by_hand.engine) as session:
        event.listen(session.connection(), "before_cursor_execute", plan_meanwhile)
        with pytest.raises(ConflictingOutput, match="takes the map of job 'first'"):
            see_output_free(session, request, admitted)
    assert by_hand.states("first")


def test_a_map_takes_its_folder_for_as_long_as_it_lies_there(by_hand, own_place, ask):
    by_hand.ask(own_place.request("first", output=str(own_place.root / "map")))
    by_hand.finish("first")
    area = (400_010.0, 5_499_900.0, 400_060.0, 5_500_000.0)
    for changes in ({"bands": ("red", "green", "blue")}, {"area": area}, {"acquired": dt.date(2024, 8, 20)}):
        with pytest.raises(ConflictingOutput, match="job 'first'"):
            ask("late", **changes)
    shutil.rmtree(own_place.root / "map")
    ask("late", bands=("red", "green", "blue"))


def test_a_map_is_the_same_after_its_scene_was_found_elsewhere(by_hand, own_place, ask):
    by_hand.ask(own_place.request("first", output=str(own_place.root / "map")))
    by_hand.finish("first")
    elsewhere = str(shutil.copy(own_place.scene, own_place.root / "elsewhere.tif"))
    by_hand.ask(own_place.request("moved", scene=elsewhere))
    ask("again")
    by_hand.ask(own_place.request("again", output=str(own_place.root / "map")))
    assert by_hand.result("again").state == "done"


@pytest.mark.parametrize("finished_before", [True, False])
def test_the_same_content_elsewhere_makes_the_same_map_in_the_same_folder(finished_before, by_hand, own_place):
    elsewhere = str(shutil.copy(own_place.scene, own_place.root / "elsewhere.tif"))
    by_hand.ask(own_place.request("first", output=str(own_place.root / "map")))
    if finished_before:
        by_hand.finish("first")
    by_hand.ask(own_place.request("second", output=str(own_place.root / "map"), scene=elsewhere))
    assert [by_hand.finish(job).state for job in ("first", "second")] == ["done", "done"]
    assert Map.read(Folder(own_place.root / "map")).job == "first"


def test_another_scene_of_the_same_size_is_another_map(by_hand, own_place, ask):
    other = own_place.root / "other.tif"
    write_scene(other, seed=1)
    by_hand.ask(own_place.request("first", output=str(own_place.root / "map")))
    with pytest.raises(ConflictingOutput, match="takes the map of job 'first': choose another folder"):
        ask("other", scene=str(other))
    by_hand.ask(own_place.request("other", output=str(own_place.root / "map"), scene=str(other)))
    assert by_hand.result("other").reason == f"{own_place.root / 'map'} takes the map of job 'first': choose another folder"


def test_of_two_jobs_over_the_bus_with_one_output_the_second_is_rejected(by_hand, own_place):
    folder = str(own_place.root / "map")
    by_hand.ask(own_place.request("first", output=folder))
    by_hand.ask(own_place.request("second", output=folder, min_area_m2=50.0))
    by_hand.ask(own_place.request("same", output=folder))
    rejected = by_hand.result("second")
    assert (rejected.state, rejected.reason) == ("rejected", f"{folder} takes the map of job 'first': choose another folder")
    assert [by_hand.finish(job).state for job in ("first", "same")] == ["done", "done"]
    assert Map.read(Folder(folder)).made_from


def test_two_assemblers_do_not_write_to_one_folder_at_once(own_place, database_url, monkeypatch):
    own_place.settings = own_place.settings.model_copy(update={"database_url": database_url})
    upgrade(connect(own_place.settings))
    folder = own_place.root / "map"
    building, go_on = threading.Event(), threading.Event()

    def build_slowly(*arguments):
        building.set()
        assert go_on.wait(LIMIT_S)
        return build_map(*arguments)

    with Bus(own_place.settings) as bus:
        by_hand = ByHand(own_place, bus)
        by_hand.ask(own_place.request("first"))
        by_hand.ask(own_place.request("second", min_area_m2=50.0))
        assemblies = [Assembly(job=job, plan=by_hand.sent()[0].plan) for job in ("first", "second")]
        by_hand.finish_blocks("first")
        with Session(by_hand.engine) as session, session.begin():  # as two planners leave it that plan at the same moment
            session.execute(update(Job).values(output=str(folder)))
        monkeypatch.setattr(assembler, "build_map", build_slowly)
        writer = threading.Thread(target=by_hand.assembler.handle, args=assemblies[:1])
        writer.start()
        try:
            assert building.wait(LIMIT_S)
            with pytest.raises(OutputBusy, match="job 'second' waits"):
                assembler.Assembler(bus, connect(own_place.settings)).handle(assemblies[1])
        finally:
            go_on.set()
            writer.join(LIMIT_S)
        by_hand.assembler.handle(assemblies[1])
        assert [by_hand.result(job).state for job in ("first", "second")] == ["done", "failed"]
        assert "made from another input" in by_hand.result("second").reason
    made = Map.read(Folder(folder))
    assert made.job == "first"
    for bulk in (made.raster, made.polygons, made.stac):
        Folder(folder).open(bulk).close()
