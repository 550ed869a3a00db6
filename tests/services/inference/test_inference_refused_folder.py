"""A bucket that is not there is one job's trouble: that job ends with the reason, and the others go on. The server is a real MinIO."""

import pytest
from sqlalchemy.orm import Session

from eartheye.bus import Bus
from eartheye.contracts.messages import JobCommand
from eartheye.errors import RequestRejected, TrackingUnavailable
from services.inference.dispatch import doubt_sendings
from services.inference.tables import Job, Plan
from tests.services.inference.by_hand import ByHand
from tests.services.inference.place import Served

pytestmark = pytest.mark.server


@pytest.fixture
def place(own_place, s3_bucket):
    """A place whose jobs may also name a bucket, which a test then removes."""
    own_place.settings = own_place.settings.model_copy(update={"allowed_roots": (*own_place.settings.allowed_roots, s3_bucket)})
    return own_place


@pytest.fixture
def by_hand(place):
    with Bus(place.settings) as bus:
        yield ByHand(place, bus)


@pytest.fixture
def bucket(s3_bucket) -> str:
    return s3_bucket.removeprefix("s3://")


def empty(minio_client, bucket):
    for found in minio_client.list_objects(bucket, recursive=True):
        minio_client.remove_object(bucket, found.object_name)
    minio_client.remove_bucket(bucket)


def job_of(by_hand, name):
    with Session(by_hand.engine) as session:
        return session.get_one(Job, name)


def test_a_package_in_a_bucket_that_is_not_there_rejects_its_job(by_hand, place, s3_bucket):
    place.models["elsewhere", "champion"] = Served(1, f"{s3_bucket}-other/serving", "e" * 64)
    by_hand.planner.handle(place.request("bad", model="elsewhere"))
    by_hand.ask(place.request("good"))
    result = by_hand.result("bad")
    assert result.state == "rejected"
    assert f"there is no bucket {s3_bucket.removeprefix('s3://')}-other at" in result.reason
    assert by_hand.finish("good").state == "done"


def test_a_job_that_waits_says_for_what_and_keeps_no_other(by_hand, place, monkeypatch):
    def silent(name, alias):
        if name == "landcover":
            return place.resolve(name, alias)
        raise TrackingUnavailable("MLflow does not answer")

    monkeypatch.setattr(by_hand.planner, "_resolve", silent)
    for request in (place.request("bad", model="elsewhere"), place.request("good")):
        by_hand.planner.handle(request)
    with pytest.raises(TrackingUnavailable):
        by_hand.planner.plan_asked()
    assert job_of(by_hand, "good").state == "running"
    waiting = job_of(by_hand, "bad")
    assert (waiting.state, waiting.reason, waiting.ended_at) == ("asked", "MLflow does not answer", None)
    place.models["elsewhere", "champion"] = place.models["landcover", "champion"]
    monkeypatch.undo()
    result = by_hand.finish("bad")
    assert (result.state, result.reason) == ("done", None)


def test_a_scene_whose_bucket_is_gone_fails_its_blocks(by_hand, place, s3_bucket, bucket, minio_client):
    minio_client.fput_object(bucket, "scene.tif", str(place.scene))
    by_hand.ask(place.request("bad", scene=f"{s3_bucket}/scene.tif"))
    empty(minio_client, bucket)
    result = by_hand.finish("bad")
    assert (result.state, result.blocks_failed) == ("failed", 12)
    assert f"there is no bucket {bucket} at" in result.reason


def test_an_output_whose_bucket_is_gone_fails_its_job_until_it_is_back(by_hand, place, s3_bucket, bucket, minio_client):
    by_hand.ask(place.request("bad", output=f"{s3_bucket}/maps/bad"))
    result = by_hand.finish("bad", before_assembly=lambda: empty(minio_client, bucket))
    assert result.state == "failed"
    assert f"there is no bucket {bucket} at" in result.reason
    minio_client.make_bucket(bucket)
    by_hand.ask(JobCommand(job="bad", command="redrive"))
    assert by_hand.finish("bad").state == "done"


def test_a_map_whose_bucket_is_gone_gives_its_pixels_to_no_other_job(by_hand, place, s3_bucket, bucket):
    by_hand.ask(place.request("first", output=f"{s3_bucket}/maps/first"))
    assert by_hand.finish("first").state == "done"
    with Session(by_hand.engine) as session, session.begin():
        session.get_one(Job, "first").output = f"{s3_bucket}-other/maps/first"
    by_hand.ask(place.request("second"))
    assert by_hand.finish("second").state == "done"
    with pytest.raises(RequestRejected, match=f"there is no bucket {bucket}-other at"):
        by_hand.planner.handle(place.request("first", output=f"{s3_bucket}/maps/first"))


def test_a_plan_whose_folder_of_blocks_is_gone_fails_and_keeps_no_other(by_hand, place, s3_bucket):
    area = (400_000.5, 5_499_950.0, 400_100.0, 5_500_000.0)
    by_hand.ask(place.request("bad", area=area))
    with Session(by_hand.engine) as session, session.begin():
        session.get_one(Plan, job_of(by_hand, "bad").plan).work = f"{s3_bucket}-other/work"
    doubt_sendings(by_hand.engine)
    by_hand.ask(place.request("good"))
    assert set(by_hand.states("good")) == {"sent"}
    assert "there is no bucket" in by_hand.result("bad").reason
