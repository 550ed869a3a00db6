"""A real browser on a running admin service."""

import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import LIMIT_S, wait_until

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install '.[dev]'")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: install Debian's package chromium")


@dataclass(frozen=True)
class Served:
    """A running admin service."""

    root: Path
    address: str
    first_key: str


@contextmanager
def served(role: str, root: Path) -> Iterator[Served]:
    """Run `eartheye serve` as an operator does, and read the first key off its output."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address, output = f"http://127.0.0.1:{port}", root / "serve.out"
    with output.open("w") as out, (root / "serve.err").open("w") as err:
        command = [sys.executable, "-m", "services.cli.main", "serve", role]
        process = subprocess.Popen(command, stdout=out, stderr=err, env={**os.environ, "EARTHEYE_ADMIN_PORT": str(port)})
    try:
        wait_until(lambda: process.poll() is not None or lives(address))
        assert process.poll() is None, (root / "serve.err").read_text()
        keys = re.findall(r"ek_first_[0-9a-f]{64}", output.read_text())
        assert len(keys) == 1
        yield Served(root, address, keys[0])
    finally:
        process.terminate()
        assert process.wait(LIMIT_S) == 0


def lives(address: str) -> bool:
    """Say whether the service answers."""
    try:
        urllib.request.urlopen(f"{address}/v1/health/live", timeout=10).close()
    except OSError:
        return False
    return True


@contextmanager
def chromium() -> Iterator[Any]:
    """Start the browser."""
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def visiting(browser: Any, place: Served) -> Iterator[Any]:
    """Open a page as a fresh visitor; no request may go to another host."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(1000 * LIMIT_S)
    page, asked = context.new_page(), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda opened: asked.append(opened.url))
    yield page
    context.close()
    hosts = {url.split("/")[2] for url in asked if not url.startswith(("data:", "blob:"))}
    assert hosts == {place.address.removeprefix("http://")}


def sign_in(page: Any, place: Served, token: str) -> None:
    """Sign in, and wait for the overview."""
    page.goto(place.address)
    page.wait_for_url("**/login")
    page.get_by_label("API key").fill(token)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("Last decisions").wait_for()


def confirm(page: Any, name: str) -> None:
    """Answer the question that is open."""
    page.get_by_role("dialog").get_by_role("button", name=name).click()


def promote_map_and_roll_back(page: Any, place: Served, model: str, scene: str, blocks: int) -> None:
    """Do what an operator does: promote two versions, map a scene, look at the map, roll back."""
    sign_in(page, place, place.first_key)
    page.get_by_text("Kafka at").wait_for()

    page.get_by_role("link", name="Models").click()
    for version in (1, 2):
        page.get_by_role("button", name=f"Promote version {version} of {model}").click()
        confirm(page, "Promote")
        page.get_by_text(f"version {version} serves", exact=True).wait_for()
        page.get_by_text("deployment and aliases follow").wait_for(state="detached")

    page.get_by_role("link", name="Jobs").click()
    page.get_by_label("Name of the job").fill("harbour")
    page.get_by_label("Scene: path").fill(scene)
    page.get_by_role("button", name="Ask for the map").click()
    page.wait_for_url("**/jobs/harbour")
    page.get_by_text(re.compile(rf"^[1-9]\d* of {blocks} blocks")).wait_for()
    page.get_by_text(f"{blocks} of {blocks} blocks").wait_for()
    tile = page.locator(".leaflet-tile-loaded").first
    tile.wait_for()
    assert tile.evaluate("image => image.naturalWidth") == 256
    page.get_by_text("built up").wait_for()

    page.get_by_role("link", name="Models").click()
    page.get_by_role("button", name=f"Roll back {model}").click()
    confirm(page, "Roll back")
    page.get_by_text("version 1 serves", exact=True).wait_for()
    page.get_by_text("rollback: version 2 to version 1").wait_for()
    page.get_by_text("deployment and aliases follow").wait_for(state="detached")
