"""Where a demonstration on the stack keeps what it makes."""

import json

import pytest
from sqlalchemy import create_engine

from eartheye.errors import InvalidSettings, ServerNotStarted
from eartheye.gate import GatePolicy
from services.demo.servers import environment
from services.demo.stack_servers import ask_named_servers, named_servers, run_root, shared_settings
from services.schema.migrate import upgrade
from services.stack.broker import embedded_broker
from services.stack.place import free_port


def test_two_run_folders_of_one_name_do_not_share_a_folder_in_the_object_store(tmp_path):
    first, second = run_root(tmp_path / "a" / "runs"), run_root(tmp_path / "b" / "runs")
    assert first.startswith("s3://eartheye/runs-")
    assert first != second
    assert run_root(tmp_path / "b" / ".." / "a" / "runs") == first


NAMED = {
    "EARTHEYE_DATABASE_URL": "postgresql+psycopg://eartheye:secret@db:5432/eartheye",
    "EARTHEYE_S3_ENDPOINT": "minio:9000",
    "EARTHEYE_KAFKA_BOOTSTRAP": "kafka:9092",
    "EARTHEYE_MLFLOW_TRACKING_URI": "http://mlflow:5000",
    "EARTHEYE_JOB_WORK": "s3://eartheye/work",
}


def test_where_no_stack_was_started_the_servers_are_those_of_the_settings(tmp_path):
    with environment(NAMED):
        answer = {"postgres": "db:5432", "minio": "minio:9000", "kafka": "kafka:9092", "mlflow": "http://mlflow:5000"}
        assert named_servers(tmp_path) == answer
        triton = {"EARTHEYE_PREDICTOR": "triton", "EARTHEYE_TRITON_URL": "triton:8001", "EARTHEYE_TRITON_REPOSITORY": str(tmp_path)}
        with environment(triton):
            assert named_servers(tmp_path) == answer | {"triton": "triton:8001"}


@pytest.mark.parametrize("own", [{"EARTHEYE_DATABASE_URL": "sqlite:///eartheye.db"}, {"EARTHEYE_JOB_WORK": "runs/work"}])
def test_what_one_process_alone_has_is_no_server(tmp_path, own):
    with environment(NAMED | own), pytest.raises(InvalidSettings, match="run `eartheye stack up`, or set"):
        named_servers(tmp_path)


def test_a_named_server_that_is_away_is_told_before_the_first_step(tmp_path):
    database, away = f"sqlite:///{tmp_path}/eartheye.db", f"127.0.0.1:{free_port()}"
    upgrade(create_engine(database))
    with embedded_broker() as broker:
        here = {
            "EARTHEYE_DATABASE_URL": database,
            "EARTHEYE_KAFKA_BOOTSTRAP": broker,
            "EARTHEYE_KAFKA_API_VERSION": "[2, 3]",
            "EARTHEYE_MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
            "EARTHEYE_JOB_WORK": str(tmp_path / "work"),
        }
        with environment(here):
            ask_named_servers()
        with (
            environment(here | {"EARTHEYE_MLFLOW_TRACKING_URI": f"http://{away}"}),
            pytest.raises(ServerNotStarted, match=f"MLflow at http://{away} does not answer: .*; start what is missing"),
        ):
            ask_named_servers()
    with environment(here | {"EARTHEYE_KAFKA_TIMEOUT_S": "1"}), pytest.raises(ServerNotStarted, match=f"Kafka at {broker} d"):
        ask_named_servers()


def test_services_beside_others_allow_what_those_allow_and_ask_what_those_ask(tmp_path):
    stack = {"EARTHEYE_ALLOWED_ROOTS": '["s3://eartheye", "/stack/runs"]', "EARTHEYE_JOB_WORK": "s3://eartheye/work"}
    with environment({"EARTHEYE_ALLOWED_ROOTS": '["/named", "s3://eartheye"]'}):
        beside = shared_settings(stack, tmp_path, GatePolicy(min_miou=0.3))
        assert json.loads(beside["EARTHEYE_ALLOWED_ROOTS"]) == ["/named", "s3://eartheye", "/stack/runs", str(tmp_path)]
        assert beside["EARTHEYE_JOB_WORK"] == "s3://eartheye/work"
        assert json.loads(beside["EARTHEYE_GATE"])["min_miou"] == 0.3
        with environment({"EARTHEYE_GATE": '{"min_miou": 0.6}'}):
            assert json.loads(shared_settings(stack, tmp_path, GatePolicy(min_miou=0.3))["EARTHEYE_GATE"])["min_miou"] == 0.6
