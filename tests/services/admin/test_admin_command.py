"""Keys on the command line."""

import re

import pytest

from eartheye import settings
from eartheye.database import connect
from services.admin.keys.store import check_token
from services.cli.main import command_line


@pytest.fixture(autouse=True)
def database(tmp_path, monkeypatch):
    monkeypatch.setenv("EARTHEYE_DATABASE_URL", f"sqlite:///{tmp_path}/eartheye.db")
    settings.load.cache_clear()
    yield
    settings.load.cache_clear()


def run(*words: str) -> None:
    command_line(listing=False)(list(words), result_action="return_value")


def test_a_key_is_given_listed_and_revoked(capsys):
    run("admin", "key", "create", "dashboards", "--role", "operator", "--days", "90")
    token = capsys.readouterr().out.strip()
    key = check_token(connect(), token)
    assert (key.name, key.role, (key.expires_at - key.created_at).days) == ("dashboards", "operator", 90)
    run("admin", "key", "revoke", key.key)
    run("admin", "key", "list")
    listed = capsys.readouterr().out
    assert re.search(rf"{key.key}.*revoked", listed)
    assert token not in listed
