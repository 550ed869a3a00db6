"""Browsers that signed in: how a session begins, what it may do, and when it ends."""

import asyncio
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update
from sqlalchemy.orm import Session

from eartheye.database import now
from eartheye.errors import TrackingUnavailable
from eartheye.tracking import registered_versions
from services.admin import app as app_module
from services.admin import sessions
from services.admin.app import create_app
from services.admin.keys.store import NewKey, create_key, revoke_key
from services.admin.keys.tables import ApiKey
from services.admin.pages import visitor as pages_visitor
from services.admin.pages.login import add_login_page
from services.admin.pages.visitor import Visitor
from services.admin.roles import ACCESS, Role
from services.admin.sessions import IDLE_S, LIMIT_S, TICKET_S, Sessions
from services.registry.tables import ModelState


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """The time, in seconds; a test moves it."""
    time = [0.0]
    monkeypatch.setattr(sessions, "monotonic", lambda: time[0])
    return time


@pytest.fixture
def key(admin) -> NewKey:
    return create_key(admin.platform.engine, "somebody", Role.VIEWER, "test")


def browser(admin, secure: bool = False) -> TestClient:
    """Return a browser on a service of its own."""
    app = create_app(replace(admin.platform, settings=admin.platform.settings.model_copy(update={"admin_secure": secure})))
    add_login_page(app)
    return TestClient(app, base_url="https://admin" if secure else "http://admin", follow_redirects=False)


def sign_in(client: TestClient, key: NewKey, before: str = ""):
    return client.get(f"/login/{client.app.state.sessions.give_ticket(before, key.key.key)}")


@pytest.mark.parametrize("secure", [False, True])
def test_the_cookie_is_for_no_script_and_no_other_site(admin, key, secure):
    entered = sign_in(browser(admin, secure), key)
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    flags = {flag.strip().lower() for flag in entered.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=strict", f"max-age={LIMIT_S}", "path=/"} <= flags
    assert ("secure" in flags) == secure


def test_a_session_looks_and_changes_nothing(admin, key):
    client = browser(admin)
    assert client.get("/v1/keys/mine").status_code == 401
    sign_in(client, key)
    assert client.get("/v1/keys/mine").json()["name"] == "somebody"
    assert client.post("/v1/jobs", json={}).status_code == 401


def test_a_ticket_is_good_once_in_time_and_for_its_own_browser(admin, key, clock):
    client = browser(admin)
    kept: Sessions = client.app.state.sessions
    assert client.get("/login/made-up").headers["location"] == "/login"
    assert sign_in(client, key, before="another browser").headers["location"] == "/login"
    late = kept.give_ticket("", key.key.key)
    clock[0] += TICKET_S + 1
    assert kept.begin(late, "") is None
    ticket = kept.give_ticket("", key.key.key)
    assert kept.begin(ticket, "") is not None
    assert kept.begin(ticket, "") is None


def test_a_name_that_was_known_before_the_login_opens_nothing(admin, key):
    client = browser(admin)
    kept: Sessions = client.app.state.sessions
    first = kept.begin(kept.give_ticket("planted", key.key.key), "planted")
    second = kept.begin(kept.give_ticket(first, key.key.key), first)
    assert len({"planted", first, second}) == 3
    assert [kept.key(name, admin.platform) is not None for name in ("planted", first, second)] == [False, False, True]


def signed_in(key: NewKey) -> tuple[Sessions, str]:
    kept = Sessions()
    name = kept.begin(kept.give_ticket("", key.key.key), "")
    assert name is not None
    return kept, name


def test_a_session_ends_when_nobody_does_anything_however_often_a_page_renews_itself(admin, key, clock):
    kept, name = signed_in(key)
    for _ in range(60):
        assert kept.key(name, admin.platform) is not None
        clock[0] += IDLE_S / 60
    clock[0] += 1
    assert kept.key(name, admin.platform) is None


def test_a_session_ends_after_a_working_day_whatever_is_done(admin, key, clock):
    kept, name = signed_in(key)
    while clock[0] <= LIMIT_S:
        assert kept.key(name, admin.platform) is not None
        kept.note_use(name)
        clock[0] += IDLE_S / 2
    assert kept.key(name, admin.platform) is None


@pytest.mark.parametrize("how", ["revoked", "expired"])
def test_a_session_ends_with_its_key(admin, key, how):
    kept, name = signed_in(key)
    if how == "revoked":
        revoke_key(admin.platform.engine, key.key.key)
    else:
        with Session(admin.platform.engine) as session, session.begin():
            session.execute(update(ApiKey).where(ApiKey.key == key.key.key).values(expires_at=now()))
    assert kept.key(name, admin.platform) is None


def visitor(admin, kept: Sessions, name: str) -> Visitor:
    return Visitor(admin.platform, kept, admin.client.app.state.probes, admin.client.app.state.registry, name)


def click(admin, key: NewKey | None, action: str, monkeypatch) -> tuple[list[str], list[str]]:
    """Click as a page's handlers do; returns who was let do it, and what was told."""
    done, told = list[str](), list[str]()
    monkeypatch.setattr(pages_visitor.ui, "context", SimpleNamespace(client=nullcontext()))
    monkeypatch.setattr(pages_visitor.ui, "notify", lambda words, **_: told.append(words))
    kept, name = signed_in(key) if key else (Sessions(), "nobody")
    asyncio.run(visitor(admin, kept, name).act(action, lambda who: done.append(who.name)))
    return done, told


CHANGES = sorted(action for action, role in ACCESS.items() if role not in (None, Role.VIEWER))


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("action", CHANGES)
def test_a_click_does_what_the_role_may_whatever_the_page_showed(admin, action, role, monkeypatch):
    done, told = click(admin, create_key(admin.platform.engine, "clicker", role, "test"), action, monkeypatch)
    if role.may(ACCESS[action]):
        assert (done, told) == (["clicker"], [])
    else:
        assert (done, told) == ([], [f"clicker is {role}, {action} asks for {ACCESS[action]}: use a key of that role"])


def test_a_click_without_a_session_does_nothing(admin, monkeypatch):
    done, told = click(admin, None, "POST /v1/models/{model}/promote", monkeypatch)
    assert (done, told) == ([], ["your session is over, or your key no longer in force: sign in again"])


def test_open_pages_ask_mlflow_together(admin, key, monkeypatch):
    asked = []
    monkeypatch.setattr(app_module, "registered_versions", lambda: asked.append("versions") or registered_versions())
    registered_versions()  # makes MLflow's database, which takes its time
    state = create_app(admin.platform).state
    pages = [Visitor(admin.platform, state.sessions, state.probes, state.registry, f"browser {number}") for number in range(5)]
    assert [page.models() for page in pages for _ in range(4)] == [([], None)] * 20
    assert asked == ["versions"]


def test_pages_know_the_champion_while_mlflow_is_away(admin, monkeypatch):
    def away():
        raise TrackingUnavailable("MLflow does not answer")

    with Session(admin.platform.engine) as session, session.begin():
        session.add(ModelState(model="landcover", champion=2, previous=1))
    monkeypatch.setattr(app_module, "registered_versions", away)
    state = create_app(admin.platform).state
    models, reason = Visitor(admin.platform, state.sessions, state.probes, state.registry, "browser").models()
    assert [(each.model, each.champion, each.previous) for each in models] == [("landcover", 2, 1)]
    assert reason == "MLflow does not answer"
