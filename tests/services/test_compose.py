"""The servers in containers: what docker/compose.yaml promises, read from the file, and by docker compose where there is one."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from eartheye.settings import Settings
from services.stack import minio, mlflow_server, postgres, triton
from services.stack.kafka import BROKER, HEAP
from services.stack.local_stack import servers

ROOT = Path(__file__).parents[2]
COMPOSE, EXAMPLE = ROOT / "docker" / "compose.yaml", ROOT / "docker" / "compose.env.example"
SERVICES = yaml.safe_load(COMPOSE.read_text())["services"]
ASKED = set(re.findall(r"\$\{(\w+)", COMPOSE.read_text()))


def example() -> dict[str, str]:
    lines = [line for line in EXAMPLE.read_text().splitlines() if line and not line.startswith("#")]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def test_the_containers_are_the_servers_of_the_stack_on_the_same_ports():
    assert set(SERVICES) - {"bucket"} == {server.name for server in servers()}
    for server in servers():
        port = server.ports[server.name]
        assert SERVICES[server.name]["ports"] == [f"127.0.0.1:{port}:{port}"]


def test_images_are_pinned_with_their_registry_and_those_of_the_manifests():
    manifests = "".join(path.read_text() for path in (ROOT / "manifests" / "base").rglob("*.yaml"))
    for service in SERVICES.values():
        registry, _, rest = service["image"].partition("/")
        name, _, tag = rest.partition(":")
        assert "." in registry
        assert tag not in ("", "latest")
        assert re.search(rf"image: {re.escape(f'{registry}/{name}')}(:{re.escape(tag)})?\n", manifests), service["image"]


def test_every_server_has_a_health_check_and_none_a_password_in_the_file():
    for name, service in SERVICES.items():
        assert name == "bucket" or service["healthcheck"]["test"][0] == "CMD"
        for key, value in service.get("environment", {}).items():
            if "PASSWORD" in key:
                assert str(value).startswith("${"), key
        words = [*service.get("command", []), *service.get("entrypoint", [])]
        assert not [word for word in words if "$" in word], "a command line can be read by everyone on the machine"


def test_the_containers_have_the_settings_of_the_stack():
    kafka, mlflow = SERVICES["kafka"]["environment"], SERVICES["mlflow"]
    for name, value in BROKER.items():
        assert str(kafka[f"KAFKA_{name.upper().replace('.', '_')}"]) == value, name
    assert kafka["KAFKA_HEAP_OPTS"] == HEAP
    (pod,) = [
        part["spec"]["template"]["spec"]
        for part in yaml.safe_load_all((ROOT / "manifests" / "base" / "servers" / "postgres.yaml").read_text())
        if part["kind"] == "StatefulSet"
    ]
    in_the_cluster = {variable["name"]: variable.get("value") for variable in pod["containers"][0]["env"]}
    for variables in (SERVICES["postgres"]["environment"], in_the_cluster):
        assert tuple(variables["POSTGRES_INITDB_ARGS"].split()) == postgres.DATA_OPTIONS
    assert SERVICES["minio"]["environment"].items() >= minio.ENVIRONMENT.items()
    assert mlflow["environment"].items() >= mlflow_server.ENVIRONMENT.items()
    assert tuple(mlflow["command"][-1 - len(mlflow_server.OPTIONS) : -1]) == mlflow_server.OPTIONS
    assert mlflow["volumes"] == [f"mlflow:{mlflow['command'][-1]}"]
    assert set(SERVICES["triton"]["command"]) >= {*triton.OPTIONS, *triton.RESTART_OPTIONS}


def test_the_script_of_the_first_start_is_there_and_gets_its_passwords():
    (mounted,) = (volume for volume in SERVICES["postgres"]["volumes"] if volume.startswith(".."))
    script, place, _ = mounted.split(":")
    asked = re.findall(r"^make_database \w+ (\w+)$", (COMPOSE.parent / script).read_text(), re.MULTILINE)
    assert place == "/docker-entrypoint-initdb.d/databases.sh"
    assert set(asked) == {name for name in SERVICES["postgres"]["environment"] if name.endswith("_PASSWORD")} - {"POSTGRES_PASSWORD"}


def test_the_example_names_what_is_asked_and_only_settings_that_there_are():
    named = example()
    assert set(named) >= ASKED
    settings = {f"EARTHEYE_{field.upper()}" for field in Settings.model_fields}
    assert {name for name in named if name.startswith("EARTHEYE_")} <= settings
    assert {name for name, value in named.items() if not value} == {
        "POSTGRES_PASSWORD",
        "PLATFORM_PASSWORD",
        "MLFLOW_PASSWORD",
        "EARTHEYE_S3_ACCESS_KEY",
        "EARTHEYE_S3_SECRET_KEY",
    }


def test_a_shell_reads_the_example_into_settings(tmp_path, monkeypatch):
    filled = "".join(f"{name}={value or 'abc123'}\n" for name, value in example().items())
    (tmp_path / "env").write_text(filled)
    said = subprocess.run(["sh", "-c", f"set -a; . {tmp_path / 'env'}; env"], capture_output=True, text=True, check=True, env={})
    for line in said.stdout.splitlines():
        if line.startswith("EARTHEYE_"):
            monkeypatch.setenv(*line.split("=", 1))
    read = Settings()
    assert read.database_url == "postgresql+psycopg://eartheye:abc123@127.0.0.1:5432/eartheye"
    assert read.allowed_roots == ("s3://eartheye",)
    assert read.predictor == "triton"


def test_docker_compose_takes_the_file(tmp_path):
    if not shutil.which("docker") or subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("there is no docker compose here")
    (tmp_path / "env").write_text("".join(f"{name}={value or 'abc123'}\n" for name, value in example().items()))
    command = ["docker", "compose", "--env-file", str(tmp_path / "env"), "-f", str(COMPOSE), "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
