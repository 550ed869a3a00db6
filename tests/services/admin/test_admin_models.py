"""Models over the API: what there is, the gate's verdict, promotion and rollback with the real registry service."""

import threading

import pytest

from eartheye import settings
from eartheye.errors import PredictorSilent
from eartheye.tracking import CHAMPION, alias_version, register
from eartheye.tracking.runs import connect as connect_mlflow
from services.admin.models.schemas import ModelStanding
from services.admin.roles import Role
from services.registry import outbox, service
from services.registry.service import run_registry
from tests.services.registry_candidate import make_candidate
from tests.waiting import wait_until


@pytest.fixture(scope="module", autouse=True)
def candidates(admin):
    for seed, miou in (("a", 0.7), ("b", 0.72), ("c", 0.2)):
        make_candidate(admin.root / seed, "landcover", miou, seed=seed)


@pytest.fixture(scope="module", autouse=True)
def registry(admin, candidates):
    stop = threading.Event()
    thread = threading.Thread(target=run_registry, args=(admin.platform.settings, stop))
    thread.start()
    yield
    stop.set()
    thread.join()


def settled(admin) -> dict:
    """Wait until deployment and aliases have followed the last decision."""
    wait_until(lambda: admin.ask("GET", "/v1/models/landcover/decisions").json()[0]["state"] != "pending")
    return admin.ask("GET", "/v1/models/landcover/decisions").json()[0]


def stands(admin, model: str) -> dict:
    """Return where a model stands."""
    return next(each for each in admin.ask("GET", "/v1/models").json() if each["model"] == model)


def test_versions_say_where_they_stand_and_how_they_score(admin):
    versions = admin.ask("GET", "/v1/models/landcover/versions", Role.VIEWER).json()
    assert [version["version"] for version in versions] == [3, 2, 1]
    assert [version["scores"][0]["value"] for version in versions] == [0.2, 0.72, 0.7]
    assert admin.ask("GET", "/v1/models").json()[0]["versions"] == 3


def test_the_gate_says_in_words_what_it_thinks_of_a_version(admin):
    good, weak = (admin.ask("GET", f"/v1/models/landcover/versions/{version}/gate", Role.VIEWER).json() for version in (1, 3))
    assert (good["passed"], weak["passed"]) == (True, False)
    assert {"passed": False, "words": "miou 0.200, at least 0.500 asked"} in weak["checks"]


def test_promotion_stale_version_and_rollback(admin):
    promote = "/v1/models/landcover/promote"
    granted = admin.ask("POST", promote, Role.PROMOTER, json={"version": 1, "expected_champion": 0})
    assert (granted.status_code, granted.json()["to_version"]) == (202, 1)
    assert settled(admin)["state"] == "applied"
    assert admin.ask("POST", promote, Role.PROMOTER, json={"version": 2, "expected_champion": 1}).status_code == 202
    assert settled(admin)["state"] == "applied"
    assert alias_version("landcover", CHAMPION) == 2

    stale = admin.ask("POST", promote, Role.PROMOTER, json={"version": 1, "expected_champion": 1})
    assert (stale.status_code, stale.json()["type"]) == (409, "urn:eartheye:problem:stale-version")
    assert "is now version 2" in stale.json()["detail"]

    listed = admin.ask("GET", "/v1/models").json()[0]
    assert (listed["champion"], listed["previous"], listed["pending"]) == (2, 1, False)
    assert admin.ask("POST", "/v1/models/landcover/rollback", Role.PROMOTER, json={"expected_champion": 2}).status_code == 202
    last = settled(admin)
    assert (last["kind"], last["state"], last["to_version"], last["asked_by"].split(" ")[0]) == ("rollback", "applied", 1, "promoter")
    assert alias_version("landcover", CHAMPION) == 1


def test_a_decision_that_an_outage_holds_up_says_what_it_waits_for(admin, monkeypatch):
    def away(*_):
        raise PredictorSilent("Triton does not answer")

    make_candidate(admin.root / "waiting", "waiting", 0.7, seed="waiting")
    monkeypatch.setattr(service, "PAUSE_S", 0.05)
    with monkeypatch.context() as outage:
        outage.setattr(outbox, "deploy", away)
        assert admin.ask("POST", "/v1/models/waiting/promote", Role.PROMOTER, json={"version": 1}).status_code == 202
        wait_until(lambda: stands(admin, "waiting")["trouble"])
        assert stands(admin, "waiting")["trouble"] == "Triton does not answer"
        assert stands(admin, "waiting")["pending"]
    wait_until(lambda: not stands(admin, "waiting")["pending"])
    assert stands(admin, "waiting")["trouble"] is None
    assert alias_version("waiting", CHAMPION) == 1


def test_a_champion_that_was_made_anew_or_is_gone_does_not_serve_and_may_be_promoted_anew(admin):
    make_candidate(admin.root / "first", "anew", 0.7, seed="first")
    assert admin.ask("POST", "/v1/models/anew/promote", Role.PROMOTER, json={"version": 1}).status_code == 202
    wait_until(lambda: not stands(admin, "anew")["pending"])
    assert stands(admin, "anew")["lost"] is None
    connect_mlflow().delete_registered_model("anew")
    make_candidate(admin.root / "second", "anew", 0.7, seed="second")
    found = stands(admin, "anew")
    assert found["lost"].startswith("version 1 of 'anew' was made anew with another package")
    shown = ModelStanding.model_validate(found)
    assert (shown.champion, shown.words) == (1, "no version serves")
    assert [each["standing"] for each in admin.ask("GET", "/v1/models/anew/versions").json()] == ["candidate"]
    assert admin.ask("POST", "/v1/models/anew/promote", Role.PROMOTER, json={"version": 1, "expected_champion": 1}).status_code == 202
    wait_until(lambda: not stands(admin, "anew")["pending"])
    assert stands(admin, "anew")["lost"] is None
    assert [each["standing"] for each in admin.ask("GET", "/v1/models/anew/versions").json()] == ["champion"]
    make_candidate(admin.root / "third", "anew", 0.7, seed="third")
    connect_mlflow().delete_model_version("anew", "1")
    assert stands(admin, "anew")["lost"] == "the registry has no version 1 of 'anew'"


def test_versions_and_decisions_come_a_page_at_a_time_and_none_is_left_out(admin):
    for seed in "abcde":
        make_candidate(admin.root / f"many-{seed}", "many", 0.2, seed=f"many-{seed}")
        admin.ask("POST", "/v1/models/many/promote", Role.PROMOTER, json={"version": 1})

    def pages(path: str, number: str) -> list[list[int]]:
        found, before = [], {}
        while page := admin.ask("GET", f"/v1/models/many/{path}", params={"limit": 2} | before).json():
            found.append([each[number] for each in page])
            before = {"before": found[-1][-1]}
        return found

    assert pages("versions", "version") == [[5, 4], [3, 2], [1]]
    decided = pages("decisions", "id")
    assert [len(page) for page in decided] == [2, 2, 1]
    assert [id for page in decided for id in page] == [each["id"] for each in admin.ask("GET", "/v1/models/many/decisions").json()]


@pytest.mark.parametrize("wanted", [{"version": True}, {"version": "1"}, {"version": 1, "expected_champion": False}])
def test_what_is_no_number_is_no_version(admin, wanted):
    refused = admin.ask("POST", "/v1/models/landcover/promote", Role.PROMOTER, json=wanted)
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:eartheye:problem:invalid-request")


def test_a_version_that_the_gate_refuses(admin):
    refused = admin.ask("POST", "/v1/models/landcover/promote", Role.PROMOTER, json={"version": 3})
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:eartheye:problem:gate-not-passed")
    assert "miou 0.200, at least 0.500 asked" in refused.json()["detail"]
    assert admin.ask("GET", "/v1/models/landcover/decisions").json()[0]["state"] == "refused"


def test_nothing_to_roll_back_to(admin):
    make_candidate(admin.root / "lonely", "lonely", 0.7, seed="lonely")
    refused = admin.ask("POST", "/v1/models/lonely/rollback", Role.PROMOTER, json={})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:eartheye:problem:nothing-to-roll-back-to")


def test_a_model_that_is_not_there(admin):
    answers = [
        admin.ask("GET", "/v1/models/nobody/versions"),
        admin.ask("GET", "/v1/models/nobody/versions/1/gate"),
        admin.ask("POST", "/v1/models/nobody/promote", Role.PROMOTER, json={"version": 1}),
    ]
    words = "the registry has no model 'nobody': register one first"
    assert [(each.status_code, each.json()["detail"]) for each in answers] == [(404, words)] * 3
    assert admin.ask("GET", "/v1/models/nobody/decisions").json() == []
    assert admin.ask("GET", "/v1/models/..%2F..%2Fetc/versions").status_code in (404, 422)


def test_a_report_that_is_gone_hides_no_version_and_a_store_that_is_away_is_told(admin, monkeypatch):
    for name, report in (("gone", f"{admin.root}/gone"), ("away", "s3://away/report")):
        register(name, f"{report}/model", f"{report}/serving", name, report, None)
    assert admin.ask("GET", "/v1/models/gone/versions").json()[0]["scores"] == []
    monkeypatch.setenv("EARTHEYE_S3_ENDPOINT", "127.0.0.1:1")
    settings.load.cache_clear()
    away = admin.ask("GET", "/v1/models/away/versions")
    settings.load.cache_clear()
    assert (away.status_code, away.json()["type"]) == (503, "urn:eartheye:problem:store-unavailable")


@pytest.mark.parametrize(
    ("champion", "pending", "told"),
    [(None, False, "no version serves yet"), (2, False, "version 2 serves"), (2, True, "version 2 is to serve")],
)
def test_a_version_serves_only_once_its_decision_is_carried_out(champion, pending, told):
    stands = ModelStanding(model="landcover", champion=champion, previous=None, generation=1, pending=pending, trouble=None)
    assert stands.words == told
