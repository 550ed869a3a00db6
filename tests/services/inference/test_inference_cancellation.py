"""A job that is cancelled takes its blocks from nobody else who waits for them."""

import threading

import pytest
from sqlalchemy import text

from eartheye.bus import Bus
from eartheye.contracts.messages import Assembly, JobCommand
from eartheye.database import connect
from eartheye.store import Folder
from services.inference import map_folder, planner
from services.inference.config import PlannerConfig
from services.inference.outcomes import hold_work, is_held, read_raster, release_work
from services.schema.migrate import upgrade
from tests.services.inference.by_hand import ByHand
from tests.waiting import LIMIT_S, wait_until

LOCK_WAITED_FOR = text("SELECT count(*) FROM pg_locks WHERE NOT granted")


def test_a_job_cancelled_while_another_of_its_plan_is_planned_leaves_the_blocks_to_that_one(own_place, new_postgres, monkeypatch):
    own_place.settings = own_place.settings.model_copy(update={"database_url": new_postgres()})
    upgrade(connect(own_place.settings))
    with Bus(own_place.settings) as bus:
        by_hand = ByHand(own_place, bus)
        by_hand.ask(own_place.request("one"))
        task = by_hand.sent()[0]
        cancelling = threading.Thread(target=by_hand.planner.handle, args=[JobCommand(job="one", command="cancel")])

        def cancel_meanwhile(work: Folder) -> None:
            """The other job is about to run, and nobody can know it yet."""
            release_work(work)
            cancelling.start()
            with by_hand.engine.connect() as connection:
                wait_until(lambda: not cancelling.is_alive() or connection.execute(LOCK_WAITED_FOR).scalar())

        with monkeypatch.context() as patch:
            patch.setattr(planner, "release_work", cancel_meanwhile)
            by_hand.ask(own_place.request("other"))
        cancelling.join(LIMIT_S)
        assert by_hand.result("one").state == "cancelled"
        assert not is_held(Folder(task.work))
        assert by_hand.finish("other").state == "done"


def test_a_cancellation_cut_off_before_the_table_knew_of_it_holds_up_no_job_for_good(own_place):
    with Bus(own_place.settings) as bus:
        by_hand = ByHand(own_place, bus, PlannerConfig(block_px=64, resend_s=0.001))
        by_hand.ask(own_place.request("cut-off"))
        task = by_hand.sent()[0]
        hold_work(Folder(task.work))
        by_hand.worker.handle(task)  # passed over
        assert by_hand.finish("cut-off").state == "done"


@pytest.mark.parametrize("read_before", [3, 14])  # of eleven blocks, first for the raster and then for the polygons
def test_a_job_cancelled_while_its_map_is_built_keeps_the_assembler_no_longer_and_leaves_nothing(read_before, own_place, monkeypatch):
    reads = []
    with Bus(own_place.settings) as bus:
        by_hand = ByHand(own_place, bus)
        by_hand.ask(own_place.request("late"))
        assembly = Assembly(job="late", plan=by_hand.sent()[0].plan)
        by_hand.finish_blocks("late")

        def cancel_and_read(*raster: object) -> object:
            reads.append(raster)
            if len(reads) == read_before:
                by_hand.planner.handle(JobCommand(job="late", command="cancel"))
            return read_raster(*raster)

        with monkeypatch.context() as patch:
            patch.setattr(map_folder, "read_raster", cancel_and_read)
            by_hand.assembler.handle(assembly)
        assert by_hand.result("late").state == "cancelled"
        assert len(reads) == read_before
        assert list(Folder(own_place.root / "maps" / "late").list()) == []
        by_hand.ask(JobCommand(job="late", command="redrive"))
        assert by_hand.finish("late").state == "done"
