"""A page while the database hangs, in a real browser: here another transaction holds the table of the keys."""

import urllib.request

from sqlalchemy import text

from eartheye import settings
from eartheye.database import connect
from services.schema.migrate import upgrade
from tests.services.admin.browsing import chromium, needs_chromium, served, sign_in, visiting
from tests.services.admin.conftest import embedded_parts

pytestmark = needs_chromium


def test_the_service_lives_while_a_page_waits_for_the_database_and_shows_it_then(new_postgres, tmp_path, monkeypatch):
    with embedded_parts(tmp_path):
        monkeypatch.setenv("EARTHEYE_DATABASE_URL", new_postgres())
        settings.load.cache_clear()
        upgrade(connect())
        with served("admin", tmp_path) as place, chromium() as browser, visiting(browser, place) as page:
            sign_in(page, place, place.first_key)
            with connect().begin() as holding:
                holding.execute(text("LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE"))
                page.goto(f"{place.address}/jobs")
                page.get_by_text("Asking the database ...").wait_for()
                with urllib.request.urlopen(f"{place.address}/v1/health/live", timeout=30) as answer:
                    assert answer.status == 200
            page.get_by_label("Scene: path").wait_for()
