"""Jobs over the API, with the real inference service."""

import io
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import rasterio
from PIL import Image

from eartheye import settings
from eartheye.store import Folder
from eartheye.tracking import CHAMPION, register, set_alias
from services.admin.roles import Role
from tests.services.inference.at_once import meet_before
from tests.services.inference.place import QUICK, write_package, write_scene
from tests.services.inference.roles import inference_service


@pytest.fixture(scope="module", autouse=True)
def model(admin):
    serving = Folder(admin.root / "serving")
    package = write_package(serving)
    made = register("landcover", str(admin.root / "model"), serving.root, package.digest, str(admin.root / "report"), None)
    set_alias("landcover", CHAMPION, made.version)
    write_scene(admin.root / "scene.tif")


@pytest.fixture(scope="module")
def inference(admin, model):
    with inference_service(admin.platform.settings, config=QUICK):
        yield


def body(admin, job: str, **changes) -> dict:
    return {"job": job, "scene": f"{admin.root}/scene.tif", "model": "landcover", "output": f"{admin.root}/maps/{job}"} | changes


def events(admin, job: str) -> list[tuple[str, dict]]:
    """Read a job's stream to its end."""
    found, name = [], ""
    with admin.client.stream("GET", f"/v1/jobs/{job}/events", headers={"Authorization": f"Bearer {admin.tokens[Role.VIEWER]}"}) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                found.append((name, json.loads(line.removeprefix("data: "))))
    return found


def test_a_job_is_submitted_watched_and_its_map_looked_at(admin, inference):
    submitted = admin.ask("POST", "/v1/jobs", Role.OPERATOR, json=body(admin, "harbour"))
    assert (submitted.status_code, submitted.headers["location"]) == (202, "/v1/jobs/harbour")
    *progress, (last, ended) = events(admin, "harbour")
    assert {name for name, _ in progress} <= {"progress"}
    assert (last, ended["state"], ended["model_version"]) == ("ended", "done", 1)
    # 200 x 140 px in blocks of 64: 4 x 3; one of them lies in the corner without data
    assert ended["blocks"] == {"waiting": 0, "sent": 0, "done": 11, "empty": 1, "failed": 0}

    result = admin.ask("GET", "/v1/jobs/harbour/result", Role.VIEWER).json()
    assert [each["name"] for each in result["classes"]] == ["forest", "water", "built up", "other"]
    assert set(result["files"]) == {"map.tif", "polygons.parquet", "item.json"}
    west, south, east, north = result["bounds"]
    assert 13 < west < east < 14
    assert 49 < south < north < 50

    raster = admin.ask("GET", "/v1/jobs/harbour/files/map.tif", Role.VIEWER)
    assert len(raster.content) == result["files"]["map.tif"]
    with rasterio.open(io.BytesIO(raster.content)) as opened:
        assert (opened.width, opened.height) == (200, 140)
    head = admin.ask("HEAD", "/v1/jobs/harbour/files/map.tif", Role.VIEWER)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(raster.content)), b"")
    part = admin.ask("GET", "/v1/jobs/harbour/files/map.tif", Role.VIEWER, headers={"Range": "bytes=8-99"})
    assert (part.status_code, part.content) == (206, raster.content[8:100])

    z = 17
    x = int(((west + east) / 2 + 180) / 360 * 2**z)
    latitude = np.radians((south + north) / 2)
    y = int((1 - np.arcsinh(np.tan(latitude)) / np.pi) / 2 * 2**z)
    tile = admin.ask("GET", f"/v1/jobs/harbour/tiles/{z}/{x}/{y}", Role.VIEWER)
    picture = np.asarray(Image.open(io.BytesIO(tile.content)).convert("RGBA"))
    assert picture.shape == (256, 256, 4)
    opaque = picture[picture[..., 3] == 255][:, :3]
    colours = {tuple(bytes.fromhex(each["colour"][1:])) for each in result["classes"]}
    assert {tuple(colour) for colour in np.unique(opaque, axis=0).tolist()} <= colours
    assert len(opaque)
    elsewhere = admin.ask("GET", f"/v1/jobs/harbour/tiles/{z}/0/0", Role.VIEWER)
    assert np.asarray(Image.open(io.BytesIO(elsewhere.content)).convert("RGBA"))[..., 3].max() == 0


def test_a_map_that_is_damaged_or_gone_is_told(admin, inference):
    admin.ask("POST", "/v1/jobs", json=body(admin, "lost"))
    events(admin, "lost")
    raster = admin.root / "maps" / "lost" / "map.tif"
    raster.write_bytes(b"no raster")
    damaged = [admin.ask("GET", f"/v1/jobs/lost/{what}") for what in ("result", "tiles/3/1/2")]
    raster.unlink()
    gone = [admin.ask("GET", f"/v1/jobs/lost/{what}") for what in ("result", "tiles/3/1/2")]
    types = [(each.status_code, each.json()["type"].rpartition(":")[2]) for each in damaged + gone]
    assert types == [(422, "unreadable-raster")] * 2 + [(404, "missing-bulk")] * 2
    assert f"remove {admin.root}/maps/lost and run the step that makes it again" in gone[0].json()["detail"]


def test_the_same_request_again_is_the_same_job_and_another_is_refused(admin, inference):
    admin.ask("POST", "/v1/jobs", json=body(admin, "twice"))
    events(admin, "twice")
    assert admin.ask("POST", "/v1/jobs", json=body(admin, "twice")).json()["state"] == "done"
    taken = admin.ask("POST", "/v1/jobs", json=body(admin, "twice", output=f"{admin.root}/maps/other"))
    assert (taken.status_code, taken.json()["type"]) == (409, "urn:eartheye:problem:name-taken")


def test_an_output_that_another_map_takes_is_refused_and_the_same_map_is_not(admin, inference):
    output = f"{admin.root}/maps/owned"
    admin.ask("POST", "/v1/jobs", json=body(admin, "owner", output=output))
    events(admin, "owner")
    write_scene(admin.root / "other.tif", seed=1)
    for changes in ({"min_area_m2": 9.0}, {"area": [400_010.0, 5_499_900.0, 400_060.0, 5_500_000.0]}, {"scene": f"{admin.root}/other.tif"}):
        refused = admin.ask("POST", "/v1/jobs", json=body(admin, "late", output=output) | changes)
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:eartheye:problem:conflicting-output")
        assert "takes the map of job 'owner'" in refused.json()["detail"]
    assert admin.ask("GET", "/v1/jobs/late").status_code == 404
    assert admin.ask("POST", "/v1/jobs", json=body(admin, "same", output=output)).status_code == 202
    assert events(admin, "same")[-1][1]["state"] == "done"


def test_the_same_request_twice_at_once_is_one_job_to_both(admin):
    with meet_before(admin.platform.engine, "INSERT INTO jobs", 2), ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: admin.ask("POST", "/v1/jobs", Role.OPERATOR, json=body(admin, "at-once")), range(2)))
    assert [(answer.status_code, answer.json()["job"]) for answer in answers] == [(202, "at-once")] * 2


def test_a_known_job_is_asked_for_again_while_mlflow_is_away(admin, monkeypatch):
    admin.ask("POST", "/v1/jobs", json=body(admin, "known"))
    monkeypatch.setenv("EARTHEYE_MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    settings.load.cache_clear()
    try:
        again, new = (admin.ask("POST", "/v1/jobs", json=body(admin, job)) for job in ("known", "new"))
    finally:
        monkeypatch.undo()
        settings.load.cache_clear()
    assert (again.status_code, again.json()["job"]) == (202, "known")
    assert (new.status_code, new.json()["type"]) == (503, "urn:eartheye:problem:tracking-unavailable")


def test_a_job_that_has_ended_cannot_be_cancelled(admin, inference):
    admin.ask("POST", "/v1/jobs", json=body(admin, "ended"))
    events(admin, "ended")
    for verb in ("cancel", "redrive"):
        refused = admin.ask("POST", f"/v1/jobs/ended/{verb}", Role.OPERATOR)
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:eartheye:problem:job-rests")
    assert admin.ask("GET", "/v1/jobs/ended/failures").json() == []


@pytest.mark.parametrize(
    ("changes", "status", "slug", "words"),
    [
        ({"model": "nobody"}, 404, "unknown-model", "no model 'nobody'"),
        ({"scene": "{root}/nothing.tif"}, 404, "missing-raster", "is not there"),
        ({"scene": "{root}/serving/model.onnx"}, 422, "unreadable-raster", "convert it"),
        ({"alias": "challenger"}, 404, "unknown-model", "alias 'challenger'"),
        ({"scene": "{root}/../../etc/passwd"}, 403, "outside-roots", "outside the folders"),
        ({"output": "{root}/maps/../../../out"}, 403, "outside-roots", "outside the folders"),
        ({"scene": "s3://elsewhere/x.tif"}, 403, "outside-roots", "outside the folders"),
        ({"scene": "/vsicurl/http://example.org/x.tif"}, 422, "request-rejected", "cannot be used"),
        ({"area": [0, 0, 1, 1]}, 422, "empty-area", "lies outside"),
        ({"scene": 7}, 422, "invalid-request", "body.scene"),
    ],
)
def test_what_cannot_be_done_is_refused_and_leaves_no_job(admin, changes, status, slug, words):
    filled = {name: value.format(root=admin.root) if isinstance(value, str) else value for name, value in changes.items()}
    refused = admin.ask("POST", "/v1/jobs", Role.OPERATOR, json=body(admin, "refused", **filled))
    assert (refused.status_code, refused.json()["type"]) == (status, f"urn:eartheye:problem:{slug}")
    assert words in refused.json()["detail"]
    assert admin.ask("GET", "/v1/jobs/refused").status_code == 404


def test_the_mark_of_a_page_needs_no_encoding(admin):
    for number in range(3):
        admin.ask("POST", "/v1/jobs", json=body(admin, f"page-{number}"))
    first = admin.ask("GET", "/v1/jobs?limit=1").json()
    second = admin.ask("GET", f"/v1/jobs?limit=1&after={first['next']}").json()
    assert [page["jobs"][0]["job"] for page in (first, second)] == ["page-2", "page-1"]


@pytest.mark.parametrize("after", ["page-2", "2026-13-01T00:00:00Z~x", "2026-01-01T00:00:00Z~", "2026-01-01T00:00:00%2B00:00~x"])
def test_what_is_no_mark_of_a_page_is_refused(admin, after):
    assert admin.ask("GET", f"/v1/jobs?after={after}").json()["type"] == "urn:eartheye:problem:invalid-config"


def test_a_stream_of_a_job_that_is_not_there_is_a_problem(admin):
    assert admin.ask("GET", "/v1/jobs/nobody/events").status_code == 404


def test_a_job_without_a_map_has_no_result(admin):
    admin.ask("POST", "/v1/jobs", json=body(admin, "waiting"))
    assert admin.ask("GET", "/v1/jobs/waiting/result").json()["type"] == "urn:eartheye:problem:not-finished"
    assert admin.ask("GET", "/v1/jobs/waiting/files/..%2Fserving.json").status_code == 404
