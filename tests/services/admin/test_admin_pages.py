"""The pages in a real browser, against `eartheye serve admin` as a process, with registry and inference beside it."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import pytest
import shapely
from sqlalchemy import update
from sqlalchemy.orm import Session

from eartheye import settings
from eartheye.contracts import Sites
from eartheye.database import connect, now
from eartheye.errors import PredictorSilent
from eartheye.store import Folder
from eartheye.tracking.runs import connect as connect_mlflow
from services.admin.keys.store import create_key, revoke_key
from services.admin.keys.tables import ApiKey
from services.admin.roles import Role
from services.inference.config import PlannerConfig
from services.inference.tables import Job
from services.registry import outbox
from services.registry.service import run_registry
from services.registry.standing import decisions
from tests.services.admin.browsing import Served, chromium, confirm, needs_chromium, promote_map_and_roll_back, served, sign_in, visiting
from tests.services.admin.conftest import embedded_parts
from tests.services.inference.place import write_scene
from tests.services.inference.roles import inference_service
from tests.services.registry_candidate import make_candidate

pytestmark = needs_chromium
SLOW_MAP = PlannerConfig(block_px=64, tick_s=0.2, outstanding=2)
"""Few blocks at a time, so that progress can be seen."""


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("pages")
    with embedded_parts(root), pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARTHEYE_S3_ENDPOINT", "127.0.0.1:1")
        settings.load.cache_clear()
        write_inputs(root)
        stop = threading.Event()
        registry = threading.Thread(target=run_registry, args=(settings.load(), stop))
        registry.start()
        try:
            with inference_service(settings.load(), config=SLOW_MAP), served("admin", root) as running:
                yield running
        finally:
            stop.set()
            registry.join()


def write_inputs(root: Path) -> None:
    for seed, miou in (("a", 0.7), ("b", 0.72)):
        make_candidate(root / seed, "landcover", miou, seed=seed)
    write_scene(root / "scene.tif", 300, 400)
    folder = Folder(root / "sites")
    columns = {"site": [1, 2, 3], "stratum": [0, 0, 0], "land_class": [1, 2, 3], "elevation_m": [1.0, 2.0, 3.0]}
    with folder.create("sites.parquet") as file:
        gpd.GeoDataFrame(columns, geometry=[shapely.Point(i, 50) for i in range(3)], crs="EPSG:4326").to_parquet(file)
    Sites(made_from="x", table=folder.bulk("sites.parquet"), count=3, strata=1, cell_km=1).finish(folder)


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


def cookie(page) -> dict:
    """Return the browser's one cookie."""
    (found,) = page.context.cookies()
    return found


@pytest.fixture
def page(browser, place):
    with visiting(browser, place) as opened:
        yield opened


def test_promote_map_and_roll_back(page, place):
    promote_map_and_roll_back(page, place, "landcover", f"{place.root}/scene.tif", 35)


def test_a_map_is_shown_as_soon_as_its_store_answers(page, place):
    request = {"job": "kept", "scene": f"{place.root}/scene.tif", "model": "landcover", "output": "s3://maps/kept"}
    with Session(connect()) as session, session.begin():
        session.add(Job(job="kept", request=request, output=request["output"], state="done", asked_at=now()))
    sign_in(page, place, place.first_key)
    page.goto(f"{place.address}/jobs/kept")
    page.get_by_text("the object store 127.0.0.1:1 does not answer").wait_for()
    assert page.get_by_text("s3://maps/kept").is_visible()
    with Session(connect()) as session, session.begin():
        session.execute(update(Job).where(Job.job == "kept").values(output=f"{place.root}/maps/harbour"))
    page.get_by_text("built up").wait_for()
    page.get_by_text("the object store").wait_for(state="detached")


def test_sites_are_drawn(page, place):
    sign_in(page, place, place.first_key)
    page.get_by_role("link", name="Datasets").click()
    page.get_by_role("button", name=f"Show {place.root}/sites").click()
    page.locator("path.leaflet-interactive").nth(2).wait_for()
    assert page.locator("path.leaflet-interactive").count() == 3


def test_a_first_decision_is_withdrawn_and_until_it_is_carried_out_no_job_is_offered_its_model(page, place, monkeypatch):
    def away(*_):
        raise PredictorSilent("Triton does not answer")

    make_candidate(place.root / "newcomer", "newcomer", 0.7, seed="newcomer")
    monkeypatch.setattr(outbox, "deploy", away)
    sign_in(page, place, place.first_key)
    page.get_by_role("link", name="Models").click()
    page.get_by_role("button", name="Promote version 1 of newcomer").click()
    confirm(page, "Promote")
    page.get_by_text("version 1 is to serve", exact=True).wait_for()
    page.get_by_text("Waits, and is tried again: Triton does not answer").wait_for()

    page.get_by_role("link", name="Jobs").click()
    page.get_by_label("Model").click()
    page.get_by_role("option").first.wait_for()
    assert page.get_by_role("option").all_inner_texts() == ["landcover"]
    page.keyboard.press("Escape")

    page.get_by_role("link", name="Models").click()
    page.get_by_role("button", name="Roll back newcomer").click()
    page.get_by_text("Withdraw version 1 of newcomer, which does not serve yet?").wait_for()
    confirm(page, "Roll back")
    page.get_by_text("newcomer has no champion, as before.").wait_for()
    page.get_by_text("reversion: version 1 to no version").wait_for()
    page.get_by_role("button", name="Roll back newcomer").wait_for(state="detached")
    assert page.get_by_text("no version serves yet", exact=True).is_visible()


def test_a_champion_that_was_made_anew_in_mlflow_is_promoted_anew(page, place):
    make_candidate(place.root / "first", "anew", 0.7, seed="first")
    sign_in(page, place, place.first_key)
    page.get_by_role("link", name="Models").click()
    button = page.get_by_role("button", name="Promote version 1 of anew")
    button.click()
    confirm(page, "Promote")
    button.wait_for(state="detached")
    page.get_by_text("deployment and aliases follow").wait_for(state="detached")

    connect_mlflow().delete_registered_model("anew")
    make_candidate(place.root / "second", "anew", 0.7, seed="second")
    page.get_by_text("The champion does not serve: version 1 of 'anew' was made anew").wait_for()
    assert page.get_by_text("no version serves", exact=True).is_visible()
    button.click()
    page.get_by_text("the champion of anew, in place of another package of this number?").wait_for()
    confirm(page, "Promote")
    page.get_by_text("The champion does not serve").wait_for(state="detached")
    button.wait_for(state="detached")
    page.get_by_text("deployment and aliases follow").wait_for(state="detached")


def test_a_viewer_is_shown_no_way_to_change_anything(page, place):
    sign_in(page, place, create_key(connect(), "guest", Role.VIEWER, "test").token)
    page.get_by_role("link", name="Models").click()
    page.get_by_text("The gate would").first.wait_for()
    assert page.get_by_role("button", name="Promote").count() == 0
    assert page.get_by_role("button", name="Roll back").count() == 0
    page.get_by_role("link", name="Jobs").click()
    page.get_by_role("link", name="Overview").wait_for()
    assert page.get_by_label("Scene: path").count() == 0


def test_a_key_that_is_revoked_does_nothing_more(page, place):
    made = create_key(connect(), "leaver", Role.OPERATOR, "test")
    sign_in(page, place, made.token)
    page.get_by_role("link", name="Jobs").click()
    page.get_by_label("Scene: path").fill(f"{place.root}/scene.tif")
    revoke_key(connect(), made.key.key)
    page.wait_for_url("**/login")
    page.goto(f"{place.address}/models")
    page.wait_for_url("**/login")


def test_a_session_has_a_name_that_nobody_knew_before(page, place):
    assert page.goto(f"{place.address}/login").headers["cache-control"] == "no-store"
    before = cookie(page)
    sign_in(page, place, place.first_key)
    after = cookie(page)
    assert (after["httpOnly"], after["sameSite"], after["name"]) == (True, "Strict", "eartheye_session")
    page.context.add_cookies([before])
    page.goto(f"{place.address}/models")
    page.wait_for_url("**/login")
    page.context.add_cookies([after])
    page.goto(f"{place.address}/datasets")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login")
    page.context.add_cookies([after])
    page.goto(f"{place.address}/datasets")
    page.wait_for_url("**/login")


def test_a_page_that_lists_once_ends_with_its_key_too(page, place):
    made = create_key(connect(), "reader", Role.VIEWER, "test")
    sign_in(page, place, made.token)
    page.get_by_role("link", name="Datasets").click()
    page.get_by_role("button", name=f"Show {place.root}/sites").wait_for()
    revoke_key(connect(), made.key.key)
    page.wait_for_url("**/login")


def test_a_button_that_the_role_should_not_have_does_nothing(page, place):
    """The page is built for a promoter, who is a viewer by the time of the click: what the browser shows and sends decides nothing."""
    made = create_key(connect(), "demoted", Role.PROMOTER, "test")
    sign_in(page, place, made.token)
    page.get_by_role("link", name="Models").click()
    button = page.get_by_role("button", name="Promote version").first
    button.wait_for()
    decided = decisions(connect())
    with Session(connect()) as session, session.begin():
        session.execute(update(ApiKey).where(ApiKey.key == made.key.key).values(role=Role.VIEWER))
    button.click()
    confirm(page, "Promote")
    page.get_by_text("demoted is viewer, POST /v1/models/{model}/promote asks for promoter").wait_for()
    assert [decision.id for decision in decisions(connect())] == [decision.id for decision in decided]


def test_a_wrong_key_is_told_and_nothing_is_shown(page, place):
    page.goto(f"{place.address}/login")
    page.get_by_label("API key").fill("ek_first_" + "0" * 64)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("this is no key of this platform").wait_for()
    for path in ("login", "", "models", "jobs", "jobs/harbour", "datasets"):
        page.goto(f"{place.address}/{path}")
        page.wait_for_url("**/login")
        page.get_by_label("API key").wait_for()
        assert page.get_by_role("link").count() == 0
        assert page.get_by_text("landcover").count() == 0


def test_pages_say_that_the_database_is_away_and_go_on_when_it_is_back(page, place):
    sign_in(page, place, place.first_key)
    page.get_by_text("Kafka at").wait_for()
    database = place.root / "eartheye.db"
    with sqlite3.connect(database) as connection:
        connection.execute("ALTER TABLE api_keys RENAME TO away")
    connection.close()
    page.get_by_text("no such table: api_keys").wait_for()
    assert not page.get_by_text("Kafka at").is_visible()
    page.goto(f"{place.address}/models")
    page.get_by_text("no such table: api_keys").wait_for()
    with sqlite3.connect(database) as connection:
        connection.execute("ALTER TABLE away RENAME TO api_keys")
    connection.close()
    page.get_by_text("The gate would").first.wait_for()


def test_pages_say_what_the_database_knows_while_mlflow_is_away(page, place):
    sign_in(page, place, place.first_key)
    page.get_by_text("landcover: version 1 serves, 2 registered").wait_for()
    with sqlite3.connect(place.root / "mlflow.db") as connection:
        connection.execute("ALTER TABLE model_versions RENAME TO away")
    connection.close()
    page.get_by_text("landcover: version 1 serves", exact=True).wait_for()
    assert page.locator(".figure").count() == 0
    page.get_by_role("link", name="Models").click()
    page.get_by_text("The versions cannot be shown now: MLflow at").first.wait_for()
    page.get_by_text("rollback: version 2 to version 1").wait_for()
    assert page.get_by_role("button", name="Roll back landcover").is_visible()
    page.get_by_role("link", name="Jobs").click()
    page.get_by_label("Scene: path").wait_for()
    assert page.get_by_text("No model serves yet").count() == 0
    page.get_by_role("link", name="Models").click()
    with sqlite3.connect(place.root / "mlflow.db") as connection:
        connection.execute("ALTER TABLE away RENAME TO model_versions")
    connection.close()
    page.get_by_text("The gate would").first.wait_for()


def test_a_fault_of_a_look_is_told_and_the_page_goes_on(page, place):
    sign_in(page, place, place.first_key)
    page.get_by_role("link", name="Jobs").click()
    page.get_by_label("Scene: path").wait_for()
    with Session(connect()) as session, session.begin():
        session.add(Job(job="unreadable", request={}, state="cancelled", asked_at=now()))
    page.get_by_text("This cannot be shown now").wait_for()
    assert "fault of a page's look" in (place.root / "serve.err").read_text()
    with Session(connect()) as session, session.begin():
        session.delete(session.get(Job, "unreadable"))
    page.get_by_text("This cannot be shown now").wait_for(state="detached")
    assert page.get_by_label("Scene: path").is_visible()
