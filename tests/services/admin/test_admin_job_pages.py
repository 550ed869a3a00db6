"""The list of jobs, page by page, and what an operator does while no planner is there."""

import asyncio
import datetime as dt

import pytest
from sqlalchemy.orm import Session

from eartheye.database import now
from services.admin.jobs.progress import watch
from services.admin.keys.store import create_key, revoke_key
from services.admin.roles import Role
from services.inference.tables import Block, Job, Plan

REQUEST = {"kind": "job-request/1", "scene": "scene.tif", "model": "landcover", "output": "map"}


@pytest.fixture(scope="module", autouse=True)
def jobs(admin):
    moment = now()
    plan = Plan(
        plan="p", scene="/scene.tif", scene_digest="", serving="/serving", serving_digest="", model="landcover", model_version=3,
        reading={}, area_column=0, area_row=0, area_width=10, area_height=10, work="/work",
    )  # fmt: skip
    with Session(admin.platform.engine) as session, session.begin():
        session.add(plan)
        session.flush()
        for number in range(7):
            state = "running" if number == 6 else "asked"
            asked_at = moment + dt.timedelta(seconds=number // 2)  # two at a time
            session.add(
                Job(
                    job=f"j{number}",
                    request=REQUEST | {"job": f"j{number}"},
                    state=state,
                    asked_at=asked_at,
                    plan="p" if number == 6 else None,
                )
            )
        fields = {"request": REQUEST | {"job": "broken-off"}, "plan": "p", "blocks_done": 2, "ended_at": moment}
        session.add(Job(job="broken-off", state="cancelled", asked_at=moment - dt.timedelta(seconds=1), **fields))
        for number, state in enumerate(("waiting", "sent", "done", "failed", "failed")):
            reason = "the disk is full" if state == "failed" else None
            session.add(
                Block(plan="p", block=f"r0000c000{number}", column=number, row=0, width=2, height=2, state=state, reason=reason, sendings=1)
            )


def test_pages_hold_every_job_once_the_newest_first(admin):
    seen, after = [], None
    while True:
        page = admin.ask("GET", "/v1/jobs", params={"limit": 3} | ({"after": after} if after else {})).json()
        seen += [job["job"] for job in page["jobs"]]
        if (after := page["next"]) is None:
            break
    assert seen == ["j6", "j5", "j4", "j3", "j2", "j1", "j0", "broken-off"]


def test_jobs_by_state(admin):
    assert [job["job"] for job in admin.ask("GET", "/v1/jobs", params={"state": "running"}).json()["jobs"]] == ["j6"]
    assert admin.ask("GET", "/v1/jobs", params={"state": "sleeping"}).status_code == 422
    assert admin.ask("GET", "/v1/jobs", params={"after": "nonsense"}).status_code == 422


def test_a_running_job_counts_its_blocks_and_tells_its_failures(admin):
    assert admin.ask("GET", "/v1/jobs/j6").json()["blocks"] == {"waiting": 1, "sent": 1, "done": 1, "empty": 0, "failed": 2}
    failures = admin.ask("GET", "/v1/jobs/j6/failures").json()
    assert failures[0] == {"block": "r0000c0003", "reason": "the disk is full", "sendings": 1, "window": [3, 0, 2, 2]}


def test_failures_come_a_page_at_a_time_and_none_is_left_out(admin):
    def page(**asked: object) -> list[str]:
        return [failure["block"] for failure in admin.ask("GET", "/v1/jobs/j6/failures", params={"limit": 1} | asked).json()]

    assert [page(), page(after="r0000c0003"), page(after="r0000c0004")] == [["r0000c0003"], ["r0000c0004"], []]
    refused = admin.ask("GET", "/v1/jobs/j6/failures", params={"after": "r9999c9999"})
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:eartheye:problem:invalid-config")


def test_a_job_that_was_cancelled_keeps_the_blocks_that_it_had(admin):
    """Its plan has gone on for another job meanwhile."""
    blocks = admin.ask("GET", "/v1/jobs/broken-off").json()["blocks"]
    assert blocks == {"waiting": 3, "sent": 0, "done": 2, "empty": 0, "failed": 0}


def test_a_stream_is_over_when_its_key_is_revoked(admin):
    made = create_key(admin.platform.engine, "watcher", Role.VIEWER, "test")

    async def watch_and_revoke() -> list[str]:
        seen = []
        async for event in watch(admin.platform, "j6", made.key.key):
            seen.append(event.event)
            revoke_key(admin.platform.engine, made.key.key)
        return seen

    assert asyncio.run(watch_and_revoke()) == ["progress"]


def test_metrics_count_the_tables(admin):
    text = admin.client.get("/v1/metrics").text
    assert 'eartheye_jobs{state="asked"} 6.0' in text
    assert 'eartheye_blocks{state="failed"} 2.0' in text
    assert 'eartheye_admin_requests_total{method="GET",route="/v1/jobs/{job}",status="200"}' in text
