"""Storage that is full, as the API tells it."""

from fastapi.testclient import TestClient

from eartheye import settings
from services.admin.app import create_app
from services.admin.keys.store import create_key
from services.admin.platform import open_platform
from services.admin.roles import Role
from tests.limits import filled
from tests.services.admin.conftest import embedded_parts


def test_a_database_without_room_is_told_and_takes_what_is_asked_again(small_disk):
    with (
        embedded_parts(small_disk),
        open_platform(settings.load()) as platform,
        TestClient(create_app(platform), raise_server_exceptions=False) as client,
    ):
        client.headers["Authorization"] = f"Bearer {create_key(platform.engine, 'test', Role.ADMIN, 'test').token}"
        before = client.get("/v1/keys").json()
        wanted = {"name": "x" * 90, "role": "viewer"}
        with filled(small_disk):
            for _ in range(40):  # until what the log of writes had left is used up
                refused = client.post("/v1/keys", json=wanted)
                if refused.status_code != 201:
                    break
                before = client.get("/v1/keys").json()
            assert (refused.status_code, refused.json()["type"]) == (507, "urn:eartheye:problem:database-full")
            assert "free space on its disk" in refused.json()["detail"]
        assert client.get("/v1/keys").json() == before
        assert client.post("/v1/keys", json=wanted).status_code == 201
