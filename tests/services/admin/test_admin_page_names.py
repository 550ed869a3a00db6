"""Pages with names and words that are long or odd, in a real browser, on PostgreSQL."""

from collections.abc import Iterator

import geopandas as gpd
import pytest
import shapely
from sqlalchemy.orm import Session

from eartheye import settings
from eartheye.contracts import Sites
from eartheye.database import connect, now
from eartheye.store import Folder
from services.inference.tables import Job
from services.registry.decide import promote
from services.schema.migrate import upgrade
from tests.services.admin.browsing import Served, chromium, confirm, needs_chromium, served, sign_in, visiting
from tests.services.admin.conftest import POLICY, embedded_parts
from tests.services.registry_candidate import make_candidate

pytestmark = needs_chromium
LONG = "m" * 128
QUOTED = 'a "quoted" \\ folder'


@pytest.fixture(scope="module")
def place(tmp_path_factory, new_postgres) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("names")
    with embedded_parts(root), pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARTHEYE_DATABASE_URL", new_postgres())
        settings.load.cache_clear()
        upgrade(connect())
        for model in (LONG, "crops", "landcover"):
            make_candidate(root / model, model, 0.7, seed=model)
        write_sites(root / QUOTED)
        request = {"scene": f"{root}/{LONG}.tif", "model": LONG, "output": f"{root}/{LONG}"}
        with Session(connect()) as session, session.begin():
            for number, reason in enumerate((None, "the scene cannot be read " * 40)):
                job = f"{LONG[1:]}{number}"
                session.add(Job(job=job, request=request | {"job": job}, state="rejected", reason=reason, asked_at=now()))
        with served("admin", root) as running:
            yield running


def write_sites(root) -> None:
    folder = Folder(root)
    columns = {"site": [1], "stratum": [0], "land_class": [1], "elevation_m": [1.0]}
    with folder.create("sites.parquet") as file:
        gpd.GeoDataFrame(columns, geometry=[shapely.Point(1, 50)], crs="EPSG:4326").to_parquet(file)
    Sites(made_from="x", table=folder.bulk("sites.parquet"), count=1, strata=1, cell_km=1).finish(folder)


@pytest.fixture(scope="module")
def page(place):
    with chromium() as browser, visiting(browser, place) as opened:
        sign_in(opened, place, place.first_key)
        yield opened


def width(page) -> int:
    """Return how wide the page is, in px, with what one has to scroll for."""
    return page.evaluate("document.documentElement.scrollWidth")


def test_long_names_leave_every_page_as_wide_as_the_window(page, place):
    jobs = page.locator(".panel", has=page.get_by_role("heading", name="Last jobs"))
    jobs.get_by_role("link", name=f"{LONG[1:]}1").wait_for()
    page.get_by_text(f"{LONG}: no version serves yet, 1 registered").wait_for()
    assert width(page) == 1280
    assert jobs.bounding_box()["width"] > 400
    assert jobs.locator(".text-no-wrap").first.bounding_box()["height"] < 30
    for path, shown in (("models", "The gate would"), ("jobs", "0 of 0 blocks"), (f"jobs/{LONG[1:]}1", f"Map{place.root}/{LONG}")):
        page.goto(f"{place.address}/{path}")
        page.locator(".panel", has_text=shown).first.wait_for()
        assert width(page) == 1280, path


def test_the_jobs_stand_in_columns_whatever_the_reason(page, place):
    page.goto(f"{place.address}/jobs")
    page.get_by_text("the scene cannot be read").wait_for()
    lefts = [[found.bounding_box()["x"] for found in page.get_by_text(words).all()] for words in ("0 of 0 blocks", "rejected")]
    assert all(len(each) == 2 and len(set(each)) == 1 for each in lefts)
    assert page.get_by_text("0 of 0 blocks").first.bounding_box()["width"] > 100


@pytest.mark.parametrize("name", ["%00", "%1b%5d0;owned%07", "a%20b", "nobody"])
def test_what_is_no_name_of_a_job_is_no_job(page, place, name):
    page.goto(f"{place.address}/jobs/{name}")
    page.get_by_text("was asked for: look at the list of jobs").wait_for()
    assert "fault" not in (place.root / "serve.err").read_text()


def test_a_folder_may_have_any_name(page, place):
    page.goto(f"{place.address}/datasets")
    page.get_by_role("button", name=f"Show {place.root}/{QUOTED}").click()
    page.locator("path.leaflet-interactive").wait_for()


def test_a_question_is_withdrawn_where_its_model_was_decided_about_and_no_sooner(page, place):
    page.goto(f"{place.address}/models")
    page.get_by_role("button", name="Promote version 1 of crops").click()
    question = page.get_by_text("Make version 1 the champion of crops, as its first?")
    question.wait_for()
    promote(connect(), LONG, 1, asked_by="another", policy=POLICY)
    make_candidate(place.root / "second", "crops", 0.72, seed="second")
    page.get_by_text("promotion: no version to version 1").wait_for()
    page.get_by_text("Version 2", exact=True).wait_for()
    assert question.is_visible()
    assert page.get_by_text("No model is registered yet").is_hidden()

    promote(connect(), "crops", 2, asked_by="another", policy=POLICY)
    page.get_by_text("The question is out of date: crops was decided about meanwhile, version 2 is to serve.").wait_for()
    question.wait_for(state="hidden")
    assert page.get_by_role("button", name="Promote version 1 of crops").is_visible()


def test_an_answer_is_told_though_its_model_was_drawn_anew_meanwhile(page, place):
    page.goto(f"{place.address}/models")
    page.get_by_role("button", name="Promote version 1 of landcover").click()
    page.get_by_role("dialog").wait_for()
    make_candidate(place.root / "third", "landcover", 0.74, seed="third")
    page.get_by_role("button", name="Promote version 2 of landcover", include_hidden=True).wait_for()
    confirm(page, "Promote")
    page.get_by_text("Version 1 of landcover becomes the champion.").wait_for()
