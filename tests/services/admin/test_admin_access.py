"""Keys and roles: who may ask for what."""

import datetime as dt
import re

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from eartheye.database import now
from eartheye.errors import NotSignedIn
from services.admin.keys import store
from services.admin.keys.store import check_token, create_key, list_keys
from services.admin.keys.tables import ApiKey
from services.admin.roles import ACCESS, Role

PATH = {
    "model": "landcover",
    "version": "1",
    "job": "nobody",
    "name": "map.tif",
    "z": "0",
    "x": "0",
    "y": "0",
    "tile": "0",
    "key": "nobody",
}


def path_of(action: str) -> tuple[str, str]:
    method, path = action.split(" ")
    return method, re.sub(r"\{(\w+)\}", lambda found: PATH[found[1]], path)


def test_every_route_has_its_role(admin):
    described = admin.client.get("/v1/openapi.json").json()["paths"]
    assert {f"{method.upper()} {path}" for path, operations in described.items() for method in operations} == set(ACCESS)


@pytest.mark.parametrize("role", [None, *Role])
@pytest.mark.parametrize("action", ACCESS)
def test_a_route_answers_the_roles_that_suffice(admin, action, role):
    needed = ACCESS[action]
    status = admin.ask(*path_of(action), role).status_code
    if needed is None:
        assert status == 200
    elif role is None:
        assert status == 401
    elif not role.may(needed):
        assert status == 403
    else:
        assert status not in (401, 403, 405, 500)


def test_roles_may_ever_more():
    assert [[role.may(needed) for needed in Role] for role in Role] == [[i >= j for j in range(4)] for i in range(4)]


def test_a_key_is_in_force_until_it_expires(admin):
    made = create_key(admin.platform.engine, "short", Role.VIEWER, "test", dt.timedelta(days=1))
    headers = {"Authorization": f"Bearer {made.token}"}
    assert admin.client.get("/v1/keys/mine", headers=headers).json() == {"key": made.key.key, "name": "short", "role": "viewer"}
    with Session(admin.platform.engine) as session, session.begin():
        session.execute(update(ApiKey).where(ApiKey.key == made.key.key).values(expires_at=now() - dt.timedelta(seconds=1)))
    refused = admin.client.get("/v1/keys/mine", headers=headers)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert refused.json()["type"] == "urn:eartheye:problem:not-signed-in"
    assert "expired on" in refused.json()["detail"]


def test_a_key_given_over_the_api_works_until_it_is_revoked(admin):
    given = admin.ask("POST", "/v1/keys", json={"name": "dashboards", "role": "viewer", "days": 90})
    assert given.status_code == 201
    token, key = given.json()["token"], given.json()["key"]
    headers = {"Authorization": f"Bearer {token}"}
    assert admin.client.get("/v1/keys/mine", headers=headers).status_code == 200
    assert admin.ask("DELETE", f"/v1/keys/{key}").json()["revoked_at"] is not None
    refused = admin.client.get("/v1/keys/mine", headers=headers)
    assert (refused.status_code, "was revoked" in refused.json()["detail"]) == (401, True)
    assert admin.ask("DELETE", "/v1/keys/unheardof").status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "a\x00b"},
        {"name": "a\nb"},
        {"name": " "},
        {"name": "n" * 101},
        {"days": 99999999999},
        {"days": 0},
        {"days": True},
        {"days": "9"},
        {"role": 1},
    ],
)
def test_a_key_that_could_not_be_kept_is_refused(admin, wrong):
    refused = admin.ask("POST", "/v1/keys", json={"name": "fine", "role": "viewer"} | wrong)
    assert refused.status_code == 422
    assert [error["field"] for error in refused.json()["errors"]] == [f"body.{next(iter(wrong))}"]


def test_the_secret_is_kept_nowhere(admin):
    made = create_key(admin.platform.engine, "secret", Role.VIEWER, "test")
    secret = made.token.rpartition("_")[2]
    assert len(secret) == 64
    assert secret.encode() not in (admin.root / "eartheye.db").read_bytes() + (admin.root / "eartheye.db-wal").read_bytes()
    assert "secret_sha256" not in admin.ask("GET", "/v1/keys").json()[0]


@pytest.mark.parametrize("token", ["", "ek_", "ek_first_" + "0" * 64, "nonsense", "ek_x_' OR 1=1 --"])
def test_what_is_no_key_is_refused(admin, token):
    assert admin.client.get("/v1/keys/mine", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_the_right_key_with_another_secret_is_refused(admin):
    made = create_key(admin.platform.engine, "guessed", Role.ADMIN, "test")
    wrong = made.token[:-1] + ("0" if made.token[-1] != "0" else "1")
    assert admin.client.get("/v1/keys/mine", headers={"Authorization": f"Bearer {wrong}"}).status_code == 401


def test_an_unknown_key_costs_the_same_work_as_a_wrong_secret(admin, monkeypatch):
    made = create_key(admin.platform.engine, "known", Role.VIEWER, "test")
    compared = []
    monkeypatch.setattr(store.hmac, "compare_digest", lambda kept, given: compared.append(given) or kept == given)
    for key in (made.key.key, "nobody"):
        with pytest.raises(NotSignedIn, match="this is no key of this platform"):
            check_token(admin.platform.engine, f"ek_{key}_{'0' * 64}")
    assert len(compared) == 2
    assert compared[0] == compared[1]


def test_no_answer_is_kept_unless_it_says_so(admin):
    given = admin.ask("POST", "/v1/keys", json={"name": "kept nowhere", "role": "viewer"})
    assert (given.status_code, given.headers["cache-control"]) == (201, "no-store")
    assert admin.ask("GET", "/v1/keys").headers["cache-control"] == "no-store"
    assert admin.ask("GET", "/v1/keys", None).headers["cache-control"] == "no-store"


def test_the_last_use_is_noted(admin):
    made = create_key(admin.platform.engine, "used", Role.VIEWER, "test")
    assert made.key.last_used_at is None
    check_token(admin.platform.engine, made.token)
    assert next(key for key in list_keys(admin.platform.engine) if key.key == made.key.key).last_used_at is not None
