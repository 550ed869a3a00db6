"""How a demonstration ends when a step does not: with the user's error in a line, or as a fault with its traceback."""

import io
import os
import signal
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext

import pytest
from rich.console import Console

from eartheye.contracts import GatePolicy
from eartheye.errors import DatabaseUnavailable, StepFailed, StoreFull, TritonCannotRun, TritonEnded, UserError
from eartheye.settings import load
from pipelines.config import ChainConfig
from services.demo.run import run_demo
from services.demo.servers import embedded_servers, environment, services
from services.demo.step_times import add_time, read_times
from services.demo.steps import run_pipeline
from services.stack.broker import API_VERSION, embedded_broker
from services.stack.triton import embedded_triton
from services.stack.triton_install import triton_program
from services.world.create import create_world
from tests.hanging_step import is_gone, lay_stand_in, step_at_work
from tests.waiting import LIMIT_S, wait_until


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "world"
    create_world(folder, size_km=1.0)
    return folder


def run_steps(world, run, target_sites, ended=None, more=(), console=None):
    sampling = {"title": "tiles", "sampler": {"target_sites": target_sites}}
    chain = {"name": "one", "samplings": [sampling, *more], "evaluator": {"samples": {"label_set": "landcover"}}, "heads": []}
    config = ChainConfig.model_validate(chain)
    heard = console or Console(quiet=True)
    run_pipeline(config, world, world / "catalogue.yaml", str(run), run, heard, ended or threading.Event())


def test_a_step_that_the_user_can_mend_is_told_in_a_line_with_its_name_and_the_log(world, tmp_path):
    with pytest.raises(StepFailed) as failed:
        run_steps(world, tmp_path, target_sites=5000)
    said = str(failed.value)
    assert said.startswith("step sampler: 5,000 sites wanted, 1 cell given: ")
    assert said.endswith(f"lower target_sites or widen the area; the whole output is in {tmp_path / 'pipeline.log'}")
    assert "\n" not in said
    assert {"configuration", "aggregator"} <= read_times(tmp_path).keys()
    assert "sampler" not in read_times(tmp_path)


def test_a_step_that_ends_by_a_fault_is_a_fault_with_its_traceback_and_the_log(world, tmp_path, monkeypatch):
    (tmp_path / "geopandas.py").write_text("raise ImportError('this library is broken')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(RuntimeError) as failed:
        run_steps(world, tmp_path, target_sites=1)
    said = str(failed.value)
    assert not isinstance(failed.value, UserError)
    assert said.startswith(f"step aggregator ended by a fault; the whole output is in {tmp_path / 'pipeline.log'}")
    assert said.count("Traceback (most recent call last):") == 1
    assert said.endswith("ImportError: this library is broken")


def test_a_step_that_fails_ends_the_run_there_and_is_told_at_once(world, tmp_path):
    later = {"title": "later", "sampler": {"target_sites": 1}}
    told = io.StringIO()
    with pytest.raises(StepFailed, match="step sampler: 5,000 sites wanted"):
        run_steps(world, tmp_path, target_sites=5000, more=[later], console=Console(file=told))
    assert told.getvalue().splitlines()[-1].split() == ["sampler", "failed"]
    assert not (tmp_path / "sampling" / "later").exists()


def test_a_step_whose_runner_was_killed_is_ended_and_the_run_with_it(world, tmp_path, monkeypatch):
    lay_stand_in(tmp_path / "library")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "library"))
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(run_steps, world, tmp_path, 1)
        step = step_at_work(tmp_path / "library")
        runner = os.getpgid(step)
        assert runner != os.getpgid(0)
        os.kill(runner, signal.SIGKILL)
        with pytest.raises(RuntimeError, match="ended by a fault"):
            run.result(LIMIT_S)
    wait_until(lambda: is_gone(step))


def test_a_disk_that_fills_up_is_told_in_a_line(small_disk, monkeypatch):
    run = small_disk / "run"
    monkeypatch.setattr("services.demo.run.create_world", lambda folder, **_: run.joinpath("large").write_bytes(bytes(5_000_000)))
    with pytest.raises(StoreFull, match=rf"no room for the run in {run} \(No space left on device\): free space, or choose another --run"):
        run_demo(run, data=None, catalogue=None, chain=None, size_km=8.0, seed=0)


@pytest.mark.server
def test_a_service_that_cannot_work_ends_the_pipeline_and_its_error_is_told(world, tmp_path):
    (tmp_path / "eartheye.db").mkdir()
    with embedded_broker() as address:
        broken = {
            "EARTHEYE_KAFKA_BOOTSTRAP": address,
            "EARTHEYE_KAFKA_API_VERSION": str(list(API_VERSION)),
            "EARTHEYE_MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
            "EARTHEYE_DATABASE_URL": f"sqlite:///{tmp_path}/eartheye.db",
        }
        with (
            environment(broken),
            pytest.raises(DatabaseUnavailable, match=r"eartheye\.db .*: unable to open database file") as told,
            services(nullcontext({})) as ended,
        ):
            run_steps(world, tmp_path, 1, ended)
    assert "was ended, for a service that it may wait for has ended" in str(told.value.__context__)
    assert "Pipeline imagery-to-map finished" not in (tmp_path / "pipeline.log").read_text()


@pytest.mark.server
def test_a_triton_that_dies_ends_the_services_with_its_last_words(tmp_path, monkeypatch):
    try:
        triton_program(load().cache)
    except TritonCannotRun as reason:
        pytest.skip(str(reason))
    started = Future()

    @contextmanager
    def shown(*arguments):
        with embedded_triton(*arguments) as triton:
            started.set_result(triton)
            yield triton

    monkeypatch.setattr("services.demo.servers.embedded_triton", shown)

    def lose_triton():
        with embedded_servers(tmp_path / "run", (tmp_path,), GatePolicy(), Console(quiet=True)) as servers:
            os.kill(started.result(LIMIT_S).pid, signal.SIGKILL)
            assert servers.ended.wait(LIMIT_S)

    with pytest.raises(TritonEnded, match=r"with code -9 .*: start the demonstration again, it goes on where it was; see ") as told:
        lose_triton()
    assert str(tmp_path / "run" / "triton.log") in str(told.value)
    assert "Started GRPCInferenceService" in str(told.value)


def test_times_that_were_not_written_to_their_end_are_counted_anew(tmp_path):
    (tmp_path / "step_times.json").touch()
    add_time(tmp_path, "tiler", 4.0)
    assert read_times(tmp_path) == {"tiler": 4.0}


def test_times_of_steps_are_summed_over_the_starts_of_a_run(tmp_path):
    assert read_times(tmp_path) == {}
    for step, seconds in (("tiler", 4.0), ("promotion", 1.0), ("promotion", 2.0), ("tiler", 0.5)):
        add_time(tmp_path, step, seconds)
    assert read_times(tmp_path) == {"tiler": 4.5, "promotion": 3.0}
