"""The pages in a real browser, against `eartheye serve admin` as a process, with registry and inference beside it."""

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from eartheye import settings
from eartheye.contracts import Sites
from eartheye.database import connect
from eartheye.store import Folder
from services.admin.keys.store import create_key, revoke_key
from services.admin.roles import Role
from services.inference.config import PlannerConfig
from services.inference.service import inference_service
from services.registry.service import run_registry
from tests.services.admin.conftest import embedded_parts
from tests.services.inference.place import write_scene
from tests.services.registry_candidate import make_candidate

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install '.[dev]'")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: install Debian's package chromium")
WAIT_MS = 90_000
SLOW_MAP = PlannerConfig(block_px=64, tick_s=0.2, outstanding=2)
"""Few blocks at a time, so that progress can be seen."""


@dataclass(frozen=True)
class Place:
    """A running admin service."""

    root: Path
    address: str
    first_key: str


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[Place]:
    root = tmp_path_factory.mktemp("pages")
    with embedded_parts(root):
        write_inputs(root)
        stop = threading.Event()
        registry = threading.Thread(target=run_registry, args=(settings.load(), stop))
        registry.start()
        try:
            with inference_service(settings.load(), config=SLOW_MAP):
                yield from serve(root)
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


def serve(root: Path) -> Iterator[Place]:
    """Run the service as an operator does, and read the first key off its output."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address, output = f"http://127.0.0.1:{port}", root / "admin.out"
    with output.open("w") as out, (root / "admin.err").open("w") as err:
        command = [sys.executable, "-m", "services.cli.main", "serve", "admin"]
        process = subprocess.Popen(command, stdout=out, stderr=err, env={**os.environ, "EARTHEYE_ADMIN_PORT": str(port)})
    try:
        for _ in range(900):
            if process.poll() is not None:
                pytest.fail((root / "admin.err").read_text())
            try:
                urllib.request.urlopen(f"{address}/v1/health/live", timeout=1).close()
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        keys = re.findall(r"ek_first_[0-9a-f]{64}", output.read_text())
        assert len(keys) == 1
        yield Place(root, address, keys[0])
    finally:
        process.terminate()
        assert process.wait(30) == 0


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, place):
    """A fresh visitor; no request may go to another host."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(WAIT_MS)
    page, asked = context.new_page(), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda opened: asked.append(opened.url))
    yield page
    context.close()
    hosts = {url.split("/")[2] for url in asked if not url.startswith(("data:", "blob:"))}
    assert hosts == {place.address.removeprefix("http://")}


def sign_in(page, place: Place, token: str) -> None:
    page.goto(place.address)
    page.wait_for_url("**/login")
    page.get_by_label("API key").fill(token)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("Last decisions").wait_for()


def confirm(page, name: str) -> None:
    page.get_by_role("dialog").get_by_role("button", name=name).click()


def test_promote_map_and_roll_back(page, place):
    sign_in(page, place, place.first_key)
    page.get_by_text("Kafka at").wait_for()

    page.get_by_role("link", name="Models").click()
    for version in (1, 2):
        page.get_by_role("button", name=f"Promote version {version} of landcover").click()
        confirm(page, "Promote")
        page.get_by_text(f"version {version} serves", exact=True).wait_for()
        page.get_by_text("deployment and aliases follow").wait_for(state="detached")

    page.get_by_role("link", name="Jobs").click()
    page.get_by_label("Name of the job").fill("harbour")
    page.get_by_label("Scene: path").fill(f"{place.root}/scene.tif")
    page.get_by_role("button", name="Ask for the map").click()
    page.wait_for_url("**/jobs/harbour")
    page.get_by_text(re.compile(r"^[1-9]\d* of 35 blocks")).wait_for()
    page.get_by_text("35 of 35 blocks").wait_for()
    tile = page.locator(".leaflet-tile-loaded").first
    tile.wait_for()
    assert tile.evaluate("image => image.naturalWidth") == 256
    page.get_by_text("built up").wait_for()

    page.get_by_role("link", name="Models").click()
    page.get_by_role("button", name="Roll back landcover").click()
    confirm(page, "Roll back")
    page.get_by_text("version 1 serves", exact=True).wait_for()
    page.get_by_text("rollback: version 2 to version 1").wait_for()


def test_sites_are_drawn(page, place):
    sign_in(page, place, place.first_key)
    page.get_by_role("link", name="Datasets").click()
    page.get_by_role("button", name=f"Show {place.root}/sites").click()
    page.locator("path.leaflet-interactive").nth(2).wait_for()
    assert page.locator("path.leaflet-interactive").count() == 3


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


def test_a_wrong_key_is_told_and_nothing_is_shown(page, place):
    page.goto(f"{place.address}/login")
    page.get_by_label("API key").fill("ek_first_" + "0" * 64)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("this is no key of this platform").wait_for()
