"""What the pods are told is what the platform understands."""

import inspect
import json
import shutil
from pathlib import Path
from typing import get_args

import pytest

from eartheye.settings import Settings
from services.cli.services import serve
from tests.manifests.rendering import named, pod_of, render, workloads

PREFIX = "EARTHEYE_"


OF_JOBS = "eartheye-settings-of-jobs"


@pytest.fixture
def given(overlay):
    """The two ConfigMaps of settings: that of what keeps running, and that of jobs."""
    maps = {resource["metadata"]["name"]: resource["data"] for resource in overlay if resource["kind"] == "ConfigMap"}
    return {name: data for name, data in maps.items() if name.startswith("eartheye-settings")}


@pytest.fixture
def settings(given):
    return given[OF_JOBS]


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


def test_jobs_have_the_settings_of_all_under_a_name_that_stays(overlay, given):
    (other,) = given.keys() - {OF_JOBS}
    assert given[other] == given[OF_JOBS]
    for workload in ours(overlay):
        (source,) = pod_of(workload)["containers"][0]["envFrom"]
        assert source["configMapRef"]["name"] == (OF_JOBS if workload["kind"] == "Job" else other), named(workload)


def test_a_changed_setting_changes_the_services_and_no_job(manifests, tmp_path):
    copied = Path(shutil.copytree(manifests, tmp_path / "manifests"))
    overlay = copied / "overlays" / "production"
    before = {named(found): found for found in ours(render(overlay))}
    (overlay / "settings.env").write_text("EARTHEYE_LOG_LEVEL=DEBUG\n")
    after = {named(found): found for found in ours(render(overlay))}
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {name for name in before if name.startswith("Deployment/")}
    maps = [found["data"] for found in render(overlay) if "eartheye-settings" in found["metadata"]["name"]]
    assert [data["EARTHEYE_LOG_LEVEL"] for data in maps] == ["DEBUG", "DEBUG"]


def ours(resources):
    found = [workload for workload in workloads(resources) if workload["metadata"]["labels"].get("settings") == "eartheye"]
    assert len(found) == 8
    return found
