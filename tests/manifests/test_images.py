"""The images: named in one place, pinned, without root."""

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions

import grimp
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from eartheye import images
from tests.manifests.rendering import ROOT, pod_of, workloads

DOCKER = ROOT.parent / "docker"
ROLES = {"data", "train", "serve", "services"}
ABOVE_THE_KERNEL = ("models", "components", "pipelines", "services")
NOT_IMPORTED_BY_NAME = {"cyclopts", "psycopg", "pyarrow"}
"""What inference needs all the same: for the command, for the database, for the polygons."""


@pytest.fixture(scope="module")
def stages():
    """Each stage of the Dockerfile: what it stands on, and its lines."""
    text = (DOCKER / "Dockerfile").read_text()
    parts = re.split(r"^FROM (\S+) AS (\S+)\n", text, flags=re.MULTILINE)[1:]
    return {name: (base, lines) for base, name, lines in zip(parts[::3], parts[1::3], parts[2::3], strict=True)}


def build(*arguments, **variables):
    command = [sys.executable, str(DOCKER / "build.py"), *arguments]
    return subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=False)


def test_every_image_of_the_platform_has_its_stage(stages):
    named = {re.search(r"/eartheye/([a-z]+):", value)[1] for name, value in vars(images).items() if name.endswith("_IMAGE")}
    assert named == ROLES
    assert stages.keys() >= ROLES


def test_what_runs_is_not_root_and_says_how_its_health_is_asked(stages):
    assert stages["runtime"][1].index("USER 10001:10001") > stages["runtime"][1].rindex("RUN ")
    for role in ROLES:
        base, lines = stages[role]
        assert base == "runtime"
        assert "USER" not in lines
        assert "HEALTHCHECK" in lines


def test_the_health_of_an_image_is_that_of_the_roles_it_runs(stages, rendered):
    containers = [container for found in workloads(rendered["production"]) for container in pod_of(found)["containers"]]
    roles = [container for container in containers if container.get("args", [""])[0] == "serve"]
    for image in ("serve", "services"):
        asked = re.search(r'"services\.probe", (.*)\]', stages[image][1])[1]
        ports = {role["ports"][0]["containerPort"] for role in roles if f"/{image}:" in role["image"]}
        assert set(json.loads(f"[{asked}]")) == set(map(str, ports))
        assert "EARTHEYE_METRICS_PORT=9100" in stages[image][1]


def test_base_and_packages_are_pinned(stages):
    text = (DOCKER / "Dockerfile").read_text()
    assert re.search(r"^ARG PYTHON=\S+@sha256:[0-9a-f]{64}$", text, re.MULTILINE)
    installs = [line for line in text.splitlines() if "pip install" in line]
    assert all("--constraint constraints.txt" in line or "--no-deps" in line for line in installs)


def test_an_inference_worker_carries_what_its_roles_use_of_the_kernels_packages_and_no_more(stages):
    assert "COPY --from=inference " in stages["serve"][1]
    listed = {package_of(line.partition("#")[0]) for line in (DOCKER / "serve.txt").read_text().splitlines() if not line.startswith("#")}
    kernel = {package_of(line) for line in tomllib.loads((ROOT.parent / "pyproject.toml").read_text())["project"]["dependencies"]}
    graph = grimp.build_graph("eartheye", *ABOVE_THE_KERNEL, include_external_packages=True, cache_dir=None)
    makers = packages_distributions()
    modules = set().union(*(graph.find_upstream_modules(f"services.{module}") for module in ("inference.service", "health")))
    imported = {canonicalize_name(maker) for module in modules for maker in makers.get(module, ())}
    assert listed == (imported - {"mlflow"} | {"mlflow-skinny"} | NOT_IMPORTED_BY_NAME) & (kernel | {"mlflow-skinny"})


def package_of(requirement):
    return canonicalize_name(Requirement(requirement).name)


def test_a_role_that_is_not_there_is_told():
    done = build("trian")
    assert (done.returncode, "no such role: trian; there are data, train, serve, services" in done.stderr) == (2, True)


def test_without_a_builder_it_says_what_to_install(tmp_path):
    done = build("serve", PATH=str(tmp_path))
    assert (done.returncode, "install one of them" in done.stderr) == (2, True)


def test_compose_runs_the_images_of_the_manifests(rendered):
    deployed = {container["image"] for found in workloads(rendered["kind"]) for container in pod_of(found)["containers"]}
    composed = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
    assert {service["image"] for service in composed.values()} <= deployed
