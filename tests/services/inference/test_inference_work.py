"""The folder of a plan: emptied when its map is there, kept where a redrive may need it."""

from pathlib import Path

import numpy as np
import pytest
import rasterio

from eartheye.bus import Bus
from eartheye.contracts.messages import Assembly, BlockOutcome, JobCommand
from eartheye.store import Folder
from services.inference import assembler
from services.inference.outcomes import HELD, put_outcome
from tests.services.inference.by_hand import ByHand
from tests.services.inference.place import Place, Served, write_package, write_scene


@pytest.fixture
def by_hand(own_place: Place):
    with Bus(own_place.settings) as bus:
        yield ByHand(own_place, bus)


def left(place: Place) -> list[str]:
    return sorted({path.relative_to(place.root / "work").parts[1] for path in place.root.glob("work/*/**/*") if path.is_file()})


def files(work: str) -> list[str]:
    return sorted(path.name for path in Path(work).rglob("*") if path.is_file())


def promote_another(place: Place) -> None:
    """Let the alias point at a model of another package."""
    package = write_package(Folder(place.root / "another"), title="land use")
    place.models["landcover", "champion"] = Served(2, str(place.root / "another"), package.digest)


def read_map(place: Place, job: str) -> np.ndarray:
    with rasterio.open(place.root / "maps" / job / "map.tif") as map_:
        return map_.read(1)


def test_a_finished_map_leaves_no_blocks(by_hand, own_place):
    by_hand.ask(own_place.request("done"))
    tasks = by_hand.sent()
    result = by_hand.finish("done")
    assert (result.state, result.blocks_done, result.blocks_empty) == ("done", 11, 1)
    assert left(own_place) == [HELD]
    by_hand.work(tasks[0])  # a message that comes late
    assert left(own_place) == [HELD]


def test_a_failed_job_keeps_its_blocks_for_the_redrive(by_hand, own_place):
    by_hand.ask(own_place.request("failed"))
    task, *others = by_hand.sent()
    put_outcome(Folder(task.work), BlockOutcome(plan=task.plan, block=task.block, state="failed", reason="the disk was away"))
    for other in others:
        by_hand.work(other)
    by_hand.planner.handle(BlockOutcome(plan=task.plan, block=task.block, state="failed", reason="the disk was away"))
    assert by_hand.finish("failed").state == "failed"
    assert len(list(own_place.root.glob("work/*/blocks/*"))) >= 10
    by_hand.ask(JobCommand(job="failed", command="redrive"))
    assert [again.block for again in by_hand.sent()] == [task.block]
    assert by_hand.finish("failed").state == "done"
    assert left(own_place) == [HELD]


def test_a_redriven_job_that_gets_another_plan_leaves_no_blocks_of_the_first(by_hand, own_place):
    by_hand.ask(own_place.request("moved"))
    first = by_hand.sent()
    for task in first[:5]:
        by_hand.work(task)
    by_hand.ask(JobCommand(job="moved", command="cancel"))
    promote_another(own_place)
    by_hand.ask(JobCommand(job="moved", command="redrive"))
    assert {task.plan for task in by_hand.sent()}.isdisjoint({first[0].plan})
    assert files(first[0].work) == [HELD]
    assert by_hand.finish("moved").state == "done"
    assert left(own_place) == [HELD]


def test_a_redriven_job_leaves_the_blocks_of_its_first_plan_to_another_that_waits_for_them(by_hand, own_place):
    for job in ("moved", "stays"):
        by_hand.ask(own_place.request(job))
    first = by_hand.sent()
    by_hand.work(first[1])
    by_hand.ask(JobCommand(job="moved", command="cancel"))
    promote_another(own_place)
    by_hand.ask(JobCommand(job="moved", command="redrive"))
    assert len(files(first[0].work)) > 1
    assert {by_hand.finish(job).state for job in ("stays", "moved")} == {"done"}
    assert left(own_place) == [HELD]


def test_a_job_whose_scene_was_changed_leaves_no_blocks(by_hand, own_place):
    by_hand.ask(own_place.request("changed"))
    by_hand.finish("changed", before_assembly=lambda: write_scene(own_place.scene, seed=1))
    assert "the scene was changed" in by_hand.result("changed").reason
    assert left(own_place) == [HELD]


def test_an_assembler_killed_while_it_removes_blocks_goes_on_when_it_is_asked_again(by_hand, own_place, monkeypatch):
    removed = []

    def die(self, name):
        if len(removed) == 3:
            raise KeyboardInterrupt
        removed.append(name)
        delete(self, name)

    delete = Folder.delete
    by_hand.ask(own_place.request("killed"))
    plan = by_hand.sent()[0].plan
    with monkeypatch.context() as patch:
        by_hand.finish_blocks("killed")
        patch.setattr(Folder, "delete", die)
        with pytest.raises(KeyboardInterrupt):
            by_hand.assembler.handle(Assembly(job="killed", plan=plan))
    assert by_hand.result("killed").state == "done"
    assert len(left(own_place)) > 1
    for _ in range(2):
        by_hand.assembler.handle(Assembly(job="killed", plan=plan))
        assert left(own_place) == [HELD]
    np.testing.assert_array_equal(read_map(own_place, "killed"), own_place.one_pass())


def test_blocks_stay_while_another_job_of_the_plan_waits_for_its_map(by_hand, own_place):
    by_hand.ask(own_place.request("one"))
    by_hand.ask(own_place.request("other", min_area_m2=50.0))
    plan = by_hand.sent()[0].plan
    by_hand.finish_blocks("one")
    by_hand.assembler.handle(Assembly(job="one", plan=plan))
    assert "blocks" in left(own_place)
    assert by_hand.finish("other").state == "done"
    assert left(own_place) == [HELD]


def test_a_later_job_of_the_plan_takes_the_pixels_of_the_first_map(by_hand, own_place, monkeypatch):
    by_hand.ask(own_place.request("first"))
    by_hand.finish("first")
    monkeypatch.setattr(assembler, "is_whole", lambda plan, block: pytest.fail("no block is looked for"))
    by_hand.ask(own_place.request("second"))
    assert by_hand.sent() == []
    result = by_hand.finish("second")
    assert (result.state, result.blocks_done, result.blocks_empty) == ("done", 11, 1)
    first, second = (own_place.root / "maps" / job / "map.tif" for job in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()


def test_a_later_job_is_mapped_anew_where_the_first_map_was_changed(by_hand, own_place):
    by_hand.ask(own_place.request("first"))
    by_hand.finish("first")
    (own_place.root / "maps" / "first" / "map.tif").write_bytes(b"no map")
    by_hand.ask(own_place.request("second"))
    assert by_hand.finish("second").state == "done"
    np.testing.assert_array_equal(read_map(own_place, "second"), own_place.one_pass())
