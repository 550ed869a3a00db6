"""The schema: migrations and tables agree, an upgrade is whole or not at all, and services refuse what does not fit."""

import datetime as dt
import os
import signal
import subprocess
import sys
import threading

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, Table, inspect, select, text

from eartheye.database import connect
from eartheye.errors import DatabaseUnavailable, SchemaMismatch
from eartheye.settings import Settings
from services.schema import migrate
from services.schema.metadata import platform_metadata
from services.schema.migrate import require_schema, status, upgrade

FIRST_TABLE, LAST_TABLE = "decisions", "outbox"
CUT_OFF = """
import os, signal, sys
from sqlalchemy import event
from eartheye.database import connect
from eartheye.settings import Settings
from services.schema.migrate import upgrade

engine = connect(Settings(database_url=sys.argv[1]))

@event.listens_for(engine, "after_cursor_execute")
def kill(connection, cursor, statement, *_):
    if sys.argv[2] in statement:
        os.kill(os.getpid(), signal.SIGKILL)

upgrade(engine)
"""


@pytest.fixture
def engine(database_url):
    engine = connect(Settings(database_url=database_url))
    yield engine
    engine.dispose()


def tables(engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def test_tables_and_migrations_agree(engine):
    upgrade(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), platform_metadata()) == []


@pytest.mark.parametrize("statement", ["CREATE TABLE outbox", "UPDATE alembic_version"])
def test_an_upgrade_killed_in_mid_migration_leaves_what_it_found_and_can_be_repeated(engine, database_url, statement):
    killed = subprocess.run([sys.executable, "-c", CUT_OFF, database_url, statement], env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert killed.returncode == -signal.SIGKILL
    assert tables(engine) == set()
    assert not status(engine).current
    upgrade(engine)
    assert {FIRST_TABLE, LAST_TABLE} < tables(engine)
    assert status(engine).current


def test_an_upgrade_of_a_database_in_use_keeps_its_rows(engine):
    with migrate._locked(engine) as connection:
        command.upgrade(migrate._config(connection), "0001")
    fill_first_schema(engine)
    before = rows(engine)
    assert {name: len(found) for name, found in before.items() if found} == dict.fromkeys(
        ("alembic_version", "blocks", "decisions", "jobs", "model_states", "outbox", "plans"), 1
    )
    assert (upgrade(engine).found, status(engine).current) == ("0001", True)
    after = rows(engine)
    for name in before.keys() - {"alembic_version"}:
        assert [{column: new[column] for column in old} for old, new in zip(before[name], after[name], strict=True)] == before[name]
    assert "api_keys" in after


def test_of_two_pending_decisions_of_a_model_an_upgrade_leaves_the_newest(engine):
    with migrate._locked(engine) as connection:
        command.upgrade(migrate._config(connection), "0004")
    made = reflected(engine)["decisions"]
    each = {"kind": "promotion", "to_version": 1, "reasons": ["passed"], "asked_by": "test", "generation": 1}
    each |= {"decided_at": dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)}
    stand = [("landcover", "pending"), ("water", "pending"), ("landcover", "applied"), ("landcover", "pending")]
    with engine.begin() as connection:
        for number, (model, state) in enumerate(stand, 1):
            connection.execute(made.insert(), each | {"id": number, "request": str(number), "model": model, "state": state})
    upgrade(engine)
    after = sorted(rows(engine)["decisions"], key=lambda decision: decision["id"])
    assert [decision["state"] for decision in after] == ["failed", "pending", "applied", "pending"]
    assert after[0]["reasons"] == ["passed", "failed: another decision was made at the same time"]
    assert [decision["settled_at"] is None for decision in after] == [False, True, True, True]


def fill_first_schema(engine) -> None:
    """Put a row into each table of the first migration, as that schema has them."""
    moment = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    plan = {"plan": "a" * 64, "scene": "scene.tif", "scene_digest": "c" * 64, "serving": "serving", "serving_digest": "d" * 64}
    plan |= {"model": "landcover", "model_version": 3, "reading": {"bands": ["red"]}, "work": "work"}
    plan |= {"area_column": 0, "area_row": 0, "area_width": 64, "area_height": 64}
    block = {"id": 1, "plan": "a" * 64, "block": "r0000c0000", "column": 0, "row": 0, "width": 64, "height": 64}
    block |= {"state": "failed", "reason": "größer", "sendings": 2, "sent_at": moment, "ended_at": moment}
    job = {"job": "harbour", "request": {"job": "harbour"}, "state": "failed", "plan": "a" * 64, "told": True, "asked_at": moment}
    job |= {"blocks_done": 0, "blocks_empty": 0, "blocks_failed": 1}
    decision = {"id": 1, "request": "first", "model": "landcover", "kind": "promotion", "to_version": 3, "state": "applied"}
    decision |= {"reasons": ["passed"], "asked_by": "test", "decided_at": moment, "generation": 1}
    state = {"model": "landcover", "champion": 3, "generation": 1}
    item = {"id": 1, "decision": 1, "model": "landcover", "work": "deploy", "attempts": 1}
    known = reflected(engine)
    with engine.begin() as connection:
        filling = {"plans": plan, "blocks": block, "jobs": job, "decisions": decision, "model_states": state, "outbox": item}
        for name, row in filling.items():
            connection.execute(known[name].insert(), row)


def reflected(engine) -> dict[str, Table]:
    metadata = MetaData()
    metadata.reflect(engine)
    return dict(metadata.tables)


def rows(engine) -> dict[str, list[dict[str, object]]]:
    with engine.connect() as connection:
        return {name: [dict(row._mapping) for row in connection.execute(select(table))] for name, table in reflected(engine).items()}


def test_an_upgrade_that_fails_leaves_what_it_found(engine, monkeypatch):
    def fail(*_):
        raise RuntimeError("cut off")

    with monkeypatch.context() as patched:
        patched.setattr("alembic.runtime.migration.HeadMaintainer.update_to_step", fail)
        with pytest.raises(RuntimeError, match="cut off"):
            upgrade(engine)
    assert tables(engine) == set()
    upgrade(engine)
    assert status(engine).current


def test_upgrades_at_once_follow_each_other(database_url):
    engines = [connect(Settings(database_url=database_url)) for _ in range(4)]
    found = []
    threads = [threading.Thread(target=lambda engine: found.append(upgrade(engine).found), args=(engine,)) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    newest = status(engines[0]).newest
    assert sorted(found, key=str) == [newest, newest, newest, None]
    for engine in engines:
        engine.dispose()


def test_a_schema_of_a_newer_release_is_refused(engine):
    upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaMismatch, match="upgrade this"):
        require_schema(engine)


def test_tables_that_no_migration_made_are_refused(engine):
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE jobs (job INTEGER)"))
    with pytest.raises(SchemaMismatch, match="no migration made"):
        upgrade(engine)


def test_a_service_brings_sqlite_up_to_date(tmp_path):
    engine = connect(Settings(database_url=f"sqlite:///{tmp_path}/eartheye.db"))
    require_schema(engine)
    assert status(engine).current
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_a_service_refuses_postgresql_that_is_behind(new_postgres):
    engine = connect(Settings(database_url=new_postgres()))
    with pytest.raises(SchemaMismatch, match="eartheye database upgrade"):
        require_schema(engine)
    assert tables(engine) == set()
    upgrade(engine)
    require_schema(engine)
    engine.dispose()


def test_a_database_that_does_not_answer_is_told(tmp_path):
    with pytest.raises(DatabaseUnavailable, match="EARTHEYE_DATABASE_URL"):
        require_schema(connect(Settings(database_url="postgresql+psycopg://eartheye:secret@127.0.0.1:1/eartheye")))
