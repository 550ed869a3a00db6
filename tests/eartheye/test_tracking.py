"""Runs and registry on a real MLflow with SQLite."""

import os
import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing, contextmanager

import pytest
from pydantic import BaseModel

from eartheye import settings
from eartheye.errors import InvalidSettings, TrackingUnavailable
from eartheye.tracking import alias_version, register, resolve, run, set_alias, version_of
from eartheye.tracking.runs import connect

ON_A_SMALL_DISK = """
import sys
from pathlib import Path
from pydantic import BaseModel
from eartheye.errors import TrackingUnavailable
from eartheye.tracking import run
from tests.limits import filled

class Config(BaseModel):
    steps: int = 3

disk = Path(sys.argv[1])
for left_bytes in (400_000, None, 0):
    try:
        if left_bytes is None:
            with run("pretrain", Config()) as opened:
                opened.metric("loss", 1.0)
        else:
            with filled(disk, left_bytes), run("pretrain", Config()):
                pass
    except TrackingUnavailable as error:
        print(error)
    print([path.name for path in disk.iterdir()])
"""


class Mask(BaseModel):
    ratio: float = 0.5


class Config(BaseModel):
    steps: int = 3
    mask: Mask = Mask()


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


@pytest.fixture(autouse=True)
def tracked(sqlite, monkeypatch):
    monkeypatch.setenv("EARTHEYE_MLFLOW_TRACKING_URI", sqlite)
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    settings.load.cache_clear()
    yield
    settings.load.cache_clear()


def test_a_run_holds_the_resolved_configuration_and_its_metrics():
    with run("pretrain", Config(), tags={"made_from": "abc"}) as opened:
        opened.metric("loss", 2.5, step=1)
        opened.history("teacher_entropy", {0: 1.0, 1: 0.5})
    stored = connect().get_run(opened.id)
    assert stored.data.params == {"steps": "3", "mask.ratio": "0.5"}
    assert stored.data.metrics == {"loss": 2.5, "teacher_entropy": 0.5}
    assert stored.data.tags["made_from"] == "abc"
    assert stored.info.status == "FINISHED"


def test_a_run_whose_work_failed_is_marked_failed():
    with pytest.raises(ZeroDivisionError), run("pretrain", Config()) as opened:
        raise ZeroDivisionError
    assert connect().get_run(opened.id).info.status == "FAILED"


@pytest.fixture
def away(sqlite):
    """A context within which MLflow fails at once: its database is without the runs."""

    @contextmanager
    def without_runs():
        with closing(sqlite3.connect(sqlite.removeprefix("sqlite:///"))) as database:
            database.execute("ALTER TABLE runs RENAME TO elsewhere")
            yield
            database.execute("ALTER TABLE elsewhere RENAME TO runs")

    return without_runs


def test_work_goes_on_while_mlflow_is_away_and_its_figures_are_told_at_the_end(away, capsys):
    with run("pretrain", Config()) as opened:
        opened.metric("before", 1.0)
        with away():
            opened.metric("oa", 0.5)
            opened.history("loss", {0: 3.0, 1: 2.0})
        opened.history("loss", {2: 1.0})
    assert capsys.readouterr().out.count("MLflow gets no figures before the run ends") == 1
    stored = connect().get_run(opened.id)
    assert stored.data.metrics == {"before": 1.0, "oa": 0.5, "loss": 1.0}
    assert [(value.step, value.value) for value in connect().get_metric_history(opened.id, "loss")] == [(0, 3.0), (1, 2.0), (2, 1.0)]
    assert stored.info.status == "FINISHED"


def test_a_file_without_room_is_told_and_not_left_half_made(small_disk):
    environment = os.environ | {"EARTHEYE_MLFLOW_TRACKING_URI": f"sqlite:///{small_disk}/mlflow.db", "PYTHONPATH": "."}
    command = [sys.executable, "-c", ON_A_SMALL_DISK, str(small_disk)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    full = "database or disk is full: free space on its disk"
    told = f"MLflow at sqlite:///{small_disk}/mlflow.db (EARTHEYE_MLFLOW_TRACKING_URI): {full}"
    assert done.stdout.splitlines() == [told, "[]", "['mlflow.db']", told, "['mlflow.db']"]


def test_a_file_that_is_no_database_is_told_in_one_line(tmp_path, monkeypatch):
    (tmp_path / "mlflow.db").write_text("no database" * 100)
    monkeypatch.setenv("EARTHEYE_MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    settings.load.cache_clear()
    with pytest.raises(TrackingUnavailable, match=r"/mlflow\.db .*: file is not a database$"):
        connect()


def test_an_error_of_the_work_is_not_hidden_by_mlflow_being_away(away, capsys):
    def work(meanwhile):
        with run("pretrain", Config()) as opened:
            meanwhile.enter_context(away())
            opened.metric("oa", 1 / 0)

    with ExitStack() as meanwhile, pytest.raises(ZeroDivisionError):
        work(meanwhile)
    assert "MLflow does not know how a run ended" in capsys.readouterr().out


def test_work_that_was_done_is_done_though_mlflow_is_away_at_its_end(away, capsys):
    with ExitStack() as meanwhile, run("pretrain", Config()) as opened:
        meanwhile.enter_context(away())
        opened.metric("oa", 0.5)
    assert "values_lost=1" in capsys.readouterr().out
    assert connect().get_run(opened.id).info.status == "RUNNING"


def test_an_injected_run_is_used_and_left_open(monkeypatch):
    with run("outer", Config()) as outer:
        monkeypatch.setenv("MLFLOW_RUN_ID", outer.id)
        with run("finetune", Config(steps=7)) as inner:
            assert inner.id == outer.id
        stored = connect().get_run(outer.id)
        assert stored.info.status == "RUNNING"
        assert stored.data.params["finetune.steps"] == "7"


def test_an_injected_run_that_does_not_exist_is_named(monkeypatch):
    monkeypatch.setenv("MLFLOW_RUN_ID", "0" * 32)
    with pytest.raises(TrackingUnavailable, match="0" * 32), run("pretrain", Config()):
        pass


def test_the_same_serving_package_gets_the_same_version(tmp_path):
    folders = {"package": f"{tmp_path}/m", "serving": f"{tmp_path}/s", "report": f"{tmp_path}/r", "run_id": None}
    first = register("same", serving_digest="d1", **folders)
    assert register("same", serving_digest="d1", **folders) == first
    assert register("same", serving_digest="d2", **folders).version == first.version + 1


def test_an_alias_resolves_to_the_version_it_points_at(tmp_path):
    made = register("aliased", f"{tmp_path}/m", f"{tmp_path}/s", "d1", f"{tmp_path}/r", None)
    assert alias_version("aliased", "champion") is None
    set_alias("aliased", "champion", made.version)
    assert resolve("aliased", "champion") == version_of("aliased", made.version) == made
    assert alias_version("aliased", "champion") == made.version


def test_what_the_registry_lacks_is_named(tmp_path):
    with pytest.raises(TrackingUnavailable, match="no model 'nobody' with alias 'champion'"):
        resolve("nobody", "champion")
    register("lonely", f"{tmp_path}/m", f"{tmp_path}/s", "d1", f"{tmp_path}/r", None)
    with pytest.raises(TrackingUnavailable, match="'lonely' with alias 'champion'"):
        resolve("lonely", "champion")
    with pytest.raises(TrackingUnavailable, match="no version 9 of 'lonely'"):
        version_of("lonely", 9)


def test_a_directory_behind_a_remote_server_is_refused(monkeypatch):
    monkeypatch.setenv("EARTHEYE_MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    settings.load.cache_clear()
    with pytest.raises(InvalidSettings, match="object store"):
        register("remote", "/m", "/s", "d", "/r", None)
