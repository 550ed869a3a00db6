"""What the pods are told is what the platform understands."""

import inspect
import json
from typing import get_args

import pytest

from eartheye.settings import Settings
from services.cli.services import serve
from tests.manifests.rendering import named, pod_of, workloads

PREFIX = "EARTHEYE_"


@pytest.fixture
def settings(overlay):
    (found,) = (resource for resource in overlay if resource["kind"] == "ConfigMap" and "eartheye-settings" in resource["metadata"]["name"])
    return found["data"]


def variables(workload):
    return {variable["name"] for container in pod_of(workload)["containers"] for variable in container.get("env", [])}


def test_every_setting_is_one_of_the_platform(overlay, settings):
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    given = {name for workload in workloads(overlay) for name in variables(workload) if name.startswith(PREFIX)}
    assert set(settings) | given <= known


def test_the_settings_are_accepted(settings, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    accepted = Settings()
    assert accepted.allowed_roots == tuple(json.loads(settings["EARTHEYE_ALLOWED_ROOTS"]))
    assert accepted.job_work.startswith("s3://")


def test_servers_are_addressed_by_the_names_and_ports_of_their_services(overlay, settings):
    services = {
        f"{service['metadata']['name']}:{port['port']}"
        for service in overlay
        if service["kind"] == "Service"
        for port in service["spec"]["ports"]
    }
    for name in ("S3_ENDPOINT", "MLFLOW_TRACKING_URI", "KAFKA_BOOTSTRAP", "TRITON_URL"):
        assert settings[PREFIX + name].removeprefix("http://") in services


def test_ports_of_the_settings_are_those_of_the_containers(overlay, settings):
    ports = {
        workload["metadata"]["name"]: pod_of(workload)["containers"][0]["ports"][0]["containerPort"]
        for workload in workloads(overlay)
        if workload["kind"] == "Deployment"
    }
    assert ports["admin"] == int(settings["EARTHEYE_ADMIN_PORT"])
    assert {ports[role] for role in ("planner", "worker", "assembler", "registry")} == {int(settings["EARTHEYE_METRICS_PORT"])}


def test_every_role_of_the_command_line_is_deployed_and_no_other(overlay):
    served = {
        container["args"][1]
        for workload in workloads(overlay)
        for container in pod_of(workload)["containers"]
        if container.get("args", [""])[0] == "serve"
    }
    roles = set(get_args(inspect.signature(serve, eval_str=True).parameters["role"].annotation))
    assert served == roles - {"all"}  # which is for one machine


def test_processes_of_the_platform_are_given_settings_and_secrets(overlay):
    ours = [workload for workload in workloads(overlay) if workload["metadata"]["labels"].get("settings") == "eartheye"]
    assert len(ours) == 8
    for workload in ours:
        assert {"EARTHEYE_DATABASE_URL", "EARTHEYE_S3_ACCESS_KEY", "EARTHEYE_S3_SECRET_KEY"} <= variables(workload), named(workload)
