"""The inference path on the real servers of the stack, disturbed and undisturbed: the maps are the same, byte for byte."""

import os
import secrets
import signal
import subprocess

import numpy as np
import pytest
import rasterio
from sqlalchemy import create_engine, make_url, text

from components.deployer.triton import load_on_triton
from eartheye.bus import Bus
from eartheye.contracts import Map, ServingPackage
from eartheye.contracts.messages import JOB_REQUESTS, JOB_RESULTS, JobRequest, JobResult
from eartheye.database import connect
from eartheye.errors import DatabaseUnavailable, ServerNotStarted, StoreUnavailable
from eartheye.settings import Settings, load
from eartheye.store import Folder
from eartheye.tracking import CHAMPION, register, resolve, set_alias
from services.demo.stack_servers import check_servers
from services.inference.config import PlannerConfig
from services.inference.service import run_assembler, run_planner
from services.schema.migrate import status, upgrade
from services.stack.local_stack import read_environment, servers
from services.stack.process import noted
from services.stack.supervisor import look, start_all
from tests.servers.stack import patient
from tests.services.inference.place import Place as InferencePlace
from tests.services.inference.place import running, write_package, write_scene
from tests.services.inference.slow_worker import start_slow_worker
from tests.waiting import LIMIT_S, wait_until

pytestmark = pytest.mark.server
QUICK = PlannerConfig(block_px=64, tick_s=0.05, resend_s=5)


@pytest.fixture(scope="module")
def variables(stack):
    """The stack's settings, for the length of this file."""
    with pytest.MonkeyPatch.context() as patch:
        named = read_environment(stack.root) | {"EARTHEYE_PREDICTOR_THREADS": "1", "EARTHEYE_KAFKA_TIMEOUT_S": "60"}
        for name, value in named.items():
            patch.setenv(name, value)
        load.cache_clear()
        yield named
    load.cache_clear()


@pytest.fixture(scope="module")
def model(variables, tmp_path_factory):
    """A scene in MinIO; a package there, registered in MLflow as the champion and loaded by Triton."""
    scene = tmp_path_factory.mktemp("scene") / "scene.tif"
    write_scene(scene)
    Folder("s3://eartheye/data").upload("scene.tif", scene)
    serving = Folder("s3://eartheye/serving")
    package = write_package(serving)
    registered = register("landcover", serving.root, serving.root, package.digest, serving.root, None)
    set_alias("landcover", CHAMPION, registered.version)
    load_on_triton(serving, package, "landcover", registered.version, load())
    return InferencePlace(scene.parent, load(), {}, package)


def request(job: str) -> JobRequest:
    return JobRequest(job=job, scene="s3://eartheye/data/scene.tif", model="landcover", output=f"s3://eartheye/maps/{job}")


def blocks_ended(settings: Settings) -> int:
    return sum("/outcomes/" in name for name in Folder(settings.job_work).list())


def wait_for_blocks(settings: Settings, worker: subprocess.Popen[bytes]) -> None:
    """Return when the worker is in the midst of a job's blocks."""
    wait_until(lambda: worker.poll() is not None or blocks_ended(settings) >= 2)
    assert worker.poll() is None


def run_job(settings: Settings, job: str, disturb) -> JobResult:
    """Have planner and assembler here, workers as `disturb` starts and ends them, and wait for the result."""
    with (
        Bus(settings) as bus,
        running(lambda stop: run_planner(settings, stop, resolve, QUICK)),
        running(lambda stop: run_assembler(settings, stop)),
        bus.replies(JOB_RESULTS, job, (JobResult,)) as replies,
    ):
        bus.publish(JOB_REQUESTS, job, request(job))
        workers = [start_slow_worker()]
        try:
            disturb(workers)
            return replies.next(LIMIT_S)
        finally:
            for worker in workers:
                worker.kill()
                worker.wait(LIMIT_S)


def content(job: str) -> tuple[str, str]:
    """Return the digests of a map's raster and polygons."""
    made = Map.read(Folder(f"s3://eartheye/maps/{job}"))
    return made.raster.sha256, made.polygons.sha256


@pytest.fixture(scope="module")
def undisturbed(model):
    """The map of a job that nothing happened to; its tables are its own, for the same plan in the same tables is not mapped twice."""
    changes = {"job_work": "s3://eartheye/work/undisturbed", "database_url": f"sqlite:///{model.root}/undisturbed.db"}
    settings = load().model_copy(update=changes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARTHEYE_JOB_WORK", settings.job_work)
        result = run_job(settings, "undisturbed", lambda workers: None)
    assert (result.state, result.blocks_done, result.blocks_empty) == ("done", 11, 1)
    return content("undisturbed")


def test_the_map_of_the_real_servers_is_that_of_one_pass_in_the_process(model, undisturbed):
    folder = Folder("s3://eartheye/maps/undisturbed")
    package = ServingPackage.read(Folder("s3://eartheye/serving"))
    write_package(Folder(model.root / "serving"))
    with rasterio.open(folder.local(Map.read(folder).raster)) as map_:
        np.testing.assert_array_equal(map_.read(1), model.one_pass())
    assert package.digest == model.package.digest


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_killed_worker_and_a_killed_broker_change_no_byte(stack, model, undisturbed, database, tmp_path, monkeypatch):
    job = f"killed-{database}"
    changes = {"job_work": f"s3://eartheye/work/{job}"}
    if database == "sqlite":
        changes["database_url"] = f"sqlite:///{tmp_path}/eartheye.db"
    settings = load().model_copy(update=changes)
    monkeypatch.setenv("EARTHEYE_JOB_WORK", settings.job_work)
    caught = []

    def kill_worker_and_broker(workers):
        wait_for_blocks(settings, workers[0])
        workers[0].send_signal(signal.SIGKILL)
        workers[0].wait(LIMIT_S)
        os.kill(noted(stack.folder("kafka")).pid, signal.SIGKILL)
        caught.append(blocks_ended(settings))
        assert {finding.state for finding in start_all(patient(servers()), stack, lambda finding: None)} == {"running", "started"}
        workers.append(start_slow_worker())

    result = run_job(settings, job, kill_worker_and_broker)
    assert 2 <= caught[0] < 12
    assert (result.state, result.blocks_done, result.blocks_empty) == ("done", 11, 1)
    assert content(job) == undisturbed


def test_a_killed_object_store_and_a_killed_database_change_no_byte(stack, model, undisturbed, monkeypatch):
    job, tables = "servers-killed", "servers_killed"
    engine = create_engine(load().database_url)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {tables}"))
    engine.dispose()
    own_tables = make_url(load().database_url).update_query_dict({"options": f"-csearch_path={tables}"})
    changes = {"job_work": f"s3://eartheye/work/{job}", "database_url": own_tables.render_as_string(hide_password=False)}
    settings = load().model_copy(update=changes)
    upgrade(connect(settings))
    monkeypatch.setenv("EARTHEYE_JOB_WORK", settings.job_work)
    caught = []

    def kill_servers(workers):
        wait_for_blocks(settings, workers[0])
        caught.append(blocks_ended(settings))
        for server in ("minio", "postgres"):
            os.kill(noted(stack.folder(server)).pid, signal.SIGKILL)
        findings = start_all(patient(servers()), stack, lambda finding: None)
        assert {finding.server for finding in findings if finding.state == "started"} == {"minio", "postgres"}
        assert workers[0].poll() is None

    result = run_job(settings, job, kill_servers)
    assert 2 <= caught[0] < 12
    assert (result.state, result.blocks_done, result.blocks_empty) == ("done", 11, 1)
    assert content(job) == undisturbed


def test_every_server_answers_and_the_database_has_the_schema_of_this_release(stack, variables):
    assert [look(server, stack).state for server in servers()] == ["running"] * 5
    assert sorted(check_servers(stack.root, variables)) == ["kafka", "minio", "mlflow", "postgres", "triton"]
    assert status(connect(load())).current


def test_wrong_credentials_are_told(stack, variables, monkeypatch):
    for name, value in {"EARTHEYE_S3_SECRET_KEY": "wrong" * 4, "EARTHEYE_DATABASE_URL": wrong_password(variables)}.items():
        monkeypatch.setenv(name, value)
    load.cache_clear()
    try:
        with pytest.raises(StoreUnavailable, match="refuses the credentials"):
            Folder("s3://eartheye/data").read("scene.tif")
        with pytest.raises(DatabaseUnavailable, match="password authentication failed") as told:
            status(connect(load()))
        assert "not-the-password" not in str(told.value)
    finally:
        monkeypatch.undo()
        load.cache_clear()


def wrong_password(variables: dict[str, str]) -> str:
    return variables["EARTHEYE_DATABASE_URL"].replace(read_password(variables), "not-the-password")


def read_password(variables: dict[str, str]) -> str:
    return variables["EARTHEYE_DATABASE_URL"].split("eartheye:")[1].split("@")[0]


def test_a_server_that_is_down_is_named_and_comes_back_with_its_data(stack, variables):
    engine = create_engine(variables["EARTHEYE_DATABASE_URL"])
    kept = secrets.token_hex(4)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE kept_{kept} AS SELECT 7 AS number"))
    noted(stack.folder("postgres")).end(signal.SIGKILL, LIMIT_S)
    with pytest.raises(ServerNotStarted, match=r"not there: postgres \(died\).*; run `eartheye stack up`"):
        check_servers(stack.root, variables)
    engine.dispose()
    assert {finding.state for finding in start_all(patient(servers()), stack, lambda finding: None)} == {"running", "started"}
    with engine.connect() as connection:
        assert connection.scalar(text(f"SELECT number FROM kept_{kept}")) == 7
    engine.dispose()
