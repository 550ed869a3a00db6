"""What goes wrong while a job runs, and how it is healed."""

import shutil

import numpy as np
import pytest
import rasterio

from eartheye.bus import Bus
from eartheye.contracts import Map
from eartheye.contracts.messages import BlockOutcome, BlockTask, JobCommand
from eartheye.errors import PredictorUnavailable, RequestRejected, StoreFull
from eartheye.predictor import open_predictor
from eartheye.store import Folder
from services.admin.jobs.queries import list_failures
from services.inference.config import PlannerConfig
from services.inference.outcomes import put_outcome, read_outcome
from tests.services.inference.by_hand import ByHand
from tests.services.inference.place import QUICK, Place, write_scene


@pytest.fixture
def bus(own_place: Place):
    with Bus(own_place.settings) as bus:
        yield bus


@pytest.fixture
def by_hand(own_place: Place, bus: Bus) -> ByHand:
    return ByHand(own_place, bus)


def spoil(place: Place, column: int, row: int) -> None:
    """Overwrite the compressed bytes of one tile of the scene, in place."""
    with rasterio.open(place.scene) as scene:
        offset = int(scene.get_tag_item(f"BLOCK_OFFSET_{column}_{row}", "TIFF", bidx=1))
    with place.scene.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * 200)


def fail(by_hand: ByHand, task: BlockTask) -> None:
    """Let a block fail for a cause that passes."""
    outcome = BlockOutcome(plan=task.plan, block=task.block, state="failed", reason="the disk was away")
    put_outcome(Folder(task.work), outcome)
    by_hand.planner.handle(outcome)


def read_map(place: Place, job: str) -> np.ndarray:
    with rasterio.open(place.root / "maps" / job / "map.tif") as map_:
        return map_.read(1)


def test_a_block_that_cannot_be_read_fails_its_job_with_the_reason_and_leaves_no_map(by_hand, own_place):
    spoil(own_place, 2, 1)
    by_hand.ask(own_place.request("hole"))
    result = by_hand.finish("hole")
    assert (result.state, result.map) == ("failed", None)
    # a neighbour needs the spoilt tile for its halo, as the block itself does
    assert 1 <= result.blocks_failed <= 9
    assert result.blocks_done + result.blocks_empty + result.blocks_failed == 12
    assert f"{result.blocks_failed} of 12 blocks failed" in result.reason
    assert "truncated or corrupt" in result.reason
    assert not (own_place.root / "maps" / "hole").exists()


def test_a_failure_names_the_scene_as_it_was_asked_for(by_hand, own_place):
    spoil(own_place, 2, 1)
    (own_place.root / "asked.tif").symlink_to("scene.tif")
    by_hand.ask(own_place.request("linked", scene=str(own_place.root / "asked.tif")))
    result = by_hand.finish("linked")
    told = [result.reason, *(failure.reason for failure in list_failures(by_hand.engine, "linked", 100))]
    assert len(told) == 1 + result.blocks_failed
    assert all(f"{own_place.root}/asked.tif cannot be read" in reason and "scene.tif" not in reason for reason in told)


def test_a_disk_that_fills_while_the_map_is_built_is_told_without_its_folder(by_hand, own_place, monkeypatch):
    def full(path, *_):
        raise StoreFull(f"no room to write {path} (No space left on device): free space")

    monkeypatch.setattr("services.inference.map_folder.write_cog", full)
    by_hand.ask(own_place.request("large"))
    result = by_hand.finish("large")
    assert (result.state, result.reason) == ("failed", "no room to write $TMPDIR/map.tif (No space left on device): free space")


def test_a_redrive_does_only_what_had_failed(by_hand, own_place):
    by_hand.ask(own_place.request("healed"))
    tasks = {task.block: task for task in by_hand.sent()}
    for block in ("r0001c0001", "r0002c0003"):
        fail(by_hand, tasks[block])
    reason = "2 of 12 blocks failed, first r0001c0001: the disk was away; see to the cause and redrive the job"
    assert by_hand.finish("healed").reason == reason
    by_hand.ask(JobCommand(job="healed", command="redrive"))
    assert [task.block for task in by_hand.sent()] == ["r0001c0001", "r0002c0003"]
    result = by_hand.finish("healed")
    assert (result.state, result.blocks_done, result.blocks_failed) == ("done", 11, 0)
    np.testing.assert_array_equal(read_map(own_place, "healed"), own_place.one_pass())


def test_a_message_older_than_a_redrive_does_not_bring_the_failure_back(by_hand, own_place):
    by_hand.ask(own_place.request("late"))
    task = by_hand.sent()[3]
    fail(by_hand, task)
    assert by_hand.finish("late").state == "failed"
    by_hand.ask(JobCommand(job="late", command="redrive"))
    by_hand.planner.handle(BlockOutcome(plan=task.plan, block=task.block, state="failed", reason="the disk was away"))
    assert by_hand.finish("late").state == "done"


def test_a_repaired_scene_is_mapped_anew_on_redrive(by_hand, own_place):
    spoil(own_place, 2, 1)
    by_hand.ask(own_place.request("repaired"))
    assert by_hand.finish("repaired").state == "failed"
    write_scene(own_place.scene)
    by_hand.ask(JobCommand(job="repaired", command="redrive"))
    assert by_hand.finish("repaired").state == "done"
    np.testing.assert_array_equal(read_map(own_place, "repaired"), own_place.one_pass())


def test_a_scene_changed_while_it_is_mapped_makes_no_map(by_hand, own_place):
    by_hand.ask(own_place.request("changed"))
    for task in by_hand.sent()[:5]:
        by_hand.work(task)
    write_scene(own_place.scene, seed=1)
    result = by_hand.finish("changed")
    assert result.state == "failed"
    assert "the scene was changed while it was mapped" in result.reason
    by_hand.ask(JobCommand(job="changed", command="redrive"))
    assert by_hand.finish("changed").state == "done"
    np.testing.assert_array_equal(read_map(own_place, "changed"), own_place.one_pass())


def test_blocks_that_were_lost_are_mapped_again(by_hand, own_place):
    assemblies = []

    def lose_some() -> None:
        if not assemblies:
            first, second, *_ = sorted(own_place.root.glob("work/*/blocks/*"))
            first.unlink()
            second.write_bytes(b"something else")
        assemblies.append("asked")

    by_hand.ask(own_place.request("lost"))
    assert by_hand.finish("lost", before_assembly=lose_some).state == "done"
    assert len(assemblies) == 2
    np.testing.assert_array_equal(read_map(own_place, "lost"), own_place.one_pass())


def test_a_cancelled_job_is_worked_on_no_more_and_goes_on_after_a_redrive(own_place, bus):
    by_hand = ByHand(own_place, bus, QUICK.model_copy(update={"outstanding": 4}))
    by_hand.ask(own_place.request("paused"))
    first = by_hand.sent()
    assert len(first) == 4
    by_hand.work(first[0])
    by_hand.ask(JobCommand(job="paused", command="cancel"))
    assert by_hand.result("paused").state == "cancelled"
    for task in first:
        by_hand.work(task)
    by_hand.planner.see_to_jobs()
    assert (by_hand.sent(), by_hand.states("paused").count("waiting")) == ([], 11)
    by_hand.ask(JobCommand(job="paused", command="redrive"))
    result = by_hand.finish("paused")
    assert (result.state, result.blocks_done) == ("done", 11)


def test_a_cancelled_job_does_not_hold_up_another_with_the_same_blocks(by_hand, own_place):
    by_hand.ask(own_place.request("one"))
    by_hand.ask(own_place.request("other"))
    by_hand.ask(JobCommand(job="one", command="cancel"))
    assert by_hand.finish("other").state == "done"
    assert by_hand.result("one").state == "cancelled"


def test_a_job_that_has_ended_cannot_be_cancelled(by_hand, own_place):
    by_hand.ask(own_place.request("over"))
    done = by_hand.finish("over")
    by_hand.ask(JobCommand(job="over", command="cancel"))
    assert by_hand.result("over") == done


def test_no_more_blocks_are_outstanding_than_allowed_and_jobs_share_the_places(own_place, bus):
    by_hand = ByHand(own_place, bus, QUICK.model_copy(update={"outstanding": 6}))
    by_hand.ask(own_place.request("large"))
    assert by_hand.states("large").count("sent") == 6
    by_hand.ask(own_place.request("small", area=(400_010.0, 5_499_900.0, 400_100.0, 5_500_000.0)))
    assert by_hand.states("small").count("sent") == 0
    for task in by_hand.sent()[:3]:
        by_hand.work(task)
    by_hand.planner.see_to_jobs()
    assert (by_hand.states("large").count("sent"), by_hand.states("small").count("sent")) == (4, 2)


def test_blocks_are_sent_again_for_ever_while_no_worker_runs(own_place, bus):
    by_hand = ByHand(own_place, bus, PlannerConfig(block_px=64, resend_s=0.001))
    by_hand.ask(own_place.request("lonely"))
    for _ in range(12):
        by_hand.planner.see_to_jobs()
    assert by_hand.states("lonely") == ["sent"] * 12
    assert by_hand.finish("lonely").state == "done"


def test_a_block_that_fails_by_a_fault_each_time_is_put_down_as_failed(own_place, bus):
    def faulty(images):
        raise MemoryError("too many images")

    by_hand = ByHand(own_place, bus, predictors=lambda *arguments: faulty)
    by_hand.ask(own_place.request("deadly"))
    task = by_hand.sent()[1]
    for _ in range(5):
        with pytest.raises(MemoryError):
            by_hand.worker.handle(task)
    by_hand.work(task)
    outcome = read_outcome(Folder(task.work), task.block)
    assert (outcome.state, outcome.reason) == ("failed", "5 attempts ended their worker or failed by a fault: see the logs of the workers")
    healthy = ByHand(own_place, bus)
    assert healthy.finish("deadly").state == "failed"
    healthy.ask(JobCommand(job="deadly", command="redrive"))
    assert healthy.finish("deadly").state == "done"


def test_a_predictor_that_does_not_answer_leaves_the_block_to_be_tried_again(own_place, bus):
    away = [True]

    def open_sometimes(*arguments):
        if away.pop() if away else False:
            raise PredictorUnavailable("Triton does not answer")
        return open_predictor(*arguments)

    by_hand = ByHand(own_place, bus, predictors=open_sometimes)
    by_hand.ask(own_place.request("patient"))
    task = by_hand.sent()[0]
    away *= 7
    for _ in range(7):
        with pytest.raises(PredictorUnavailable):
            by_hand.worker.handle(task)
    assert read_outcome(Folder(task.work), task.block) is None
    by_hand.work(task)
    assert read_outcome(Folder(task.work), task.block).state == "empty"


def test_a_serving_package_exchanged_while_the_job_runs_is_not_used(by_hand, own_place):
    by_hand.ask(own_place.request("exchanged"))
    manifest = own_place.root / "serving" / "serving.json"
    manifest.write_text(manifest.read_text().replace("Example Imagery", "Other Imagery"))
    result = by_hand.finish("exchanged")
    assert result.state == "failed"
    assert "is not the package that the job was planned with" in result.reason


@pytest.mark.parametrize("field", ["scene", "work"])
def test_a_block_message_that_names_a_foreign_folder_is_refused(by_hand, own_place, tmp_path_factory, field):
    by_hand.ask(own_place.request("forged"))
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    shutil.copy(own_place.scene, elsewhere)
    task = by_hand.sent()[0].model_copy(update={field: str(elsewhere / "scene.tif")})
    with pytest.raises(RequestRejected, match="outside the folders"):
        by_hand.worker.handle(task)
    assert [path.name for path in elsewhere.iterdir()] == ["scene.tif"]


def test_a_map_that_was_removed_is_mapped_again(by_hand, own_place):
    by_hand.ask(own_place.request("removed"))
    by_hand.finish("removed")
    shutil.rmtree(own_place.root / "maps" / "removed")
    by_hand.ask(own_place.request("removed"))
    assert by_hand.finish("removed").state == "done"
    np.testing.assert_array_equal(read_map(own_place, "removed"), own_place.one_pass())


def test_a_crash_after_the_manifest_leaves_a_map_that_is_taken_as_it_is(by_hand, own_place):
    by_hand.ask(own_place.request("crashed"))
    by_hand.finish("crashed")
    before = {path.name: path.stat().st_mtime_ns for path in (own_place.root / "maps" / "crashed").iterdir()}
    shutil.rmtree(own_place.root / "work")
    (own_place.root / "jobs.db").unlink()
    with Bus(own_place.settings) as bus:
        again = ByHand(own_place, bus)
        again.ask(own_place.request("crashed"))
        result = again.result("crashed")
    assert (result.state, result.blocks_done, result.blocks_empty) == ("done", 11, 1)
    assert {path.name: path.stat().st_mtime_ns for path in (own_place.root / "maps" / "crashed").iterdir()} == before
    assert Map.read(Folder(result.map)).job == "crashed"
