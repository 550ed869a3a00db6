"""Keys on the command line."""

import datetime as dt
import re

import pytest
from cyclopts import CycloptsError

from eartheye import settings
from eartheye.database import connect
from services.admin.keys.store import check_token, create_key, list_keys
from services.admin.roles import Role
from services.cli.admin import _engine
from services.cli.main import command_line
from services.cli.mistakes import one_line


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


def test_a_narrow_list_keeps_what_revoke_asks_for(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    made = create_key(_engine(), "the dashboards of the department", Role.OPERATOR, "test", dt.timedelta(days=9))
    check_token(_engine(), made.token)
    run("admin", "key", "list")
    listed = capsys.readouterr().out
    assert made.key.key in listed
    assert "…" not in listed


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("dashboards", "--days", "99999999999"), "--days 99999999999: it should be less than or equal to 3650"),
        (("dashboards", "--days", "0"), "--days 0: it should be greater than 0"),
        (("d" * 101,), "it should have at most 100 characters"),
        (("   ",), "it should have at least 1 character"),
        (("dash\nboards",), "--name: it should have no control characters and no line ends"),
    ],
)
def test_what_no_key_can_have_is_refused_in_one_line(words, told):
    with pytest.raises(CycloptsError) as refused:
        command_line(listing=False)(
            ["admin", "key", "create", *words], result_action="return_value", exit_on_error=False, print_error=False
        )
    assert told in one_line(refused.value)
    assert list_keys(_engine()) == []
