"""The manifests as kustomize renders them."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from eartheye.settings import Settings
from tests.servers.go_programs import go_program

ROOT = Path(__file__).parents[2] / "manifests"
KUSTOMIZE = "sigs.k8s.io/kustomize/kustomize/v5@v5.7.1"
WORKLOADS = ("Deployment", "StatefulSet", "Job")

Resource = dict[str, Any]


class NotRendered(Exception):
    """What kustomize said when it refused."""


def kustomize_command() -> list[str]:
    """Return the command that renders a folder.

    Raises:
        ServerNotStarted: neither kubectl nor kustomize is on PATH, and Go cannot build the latter.
    """
    if kubectl := shutil.which("kubectl"):
        return [kubectl, "kustomize"]
    program = shutil.which("kustomize") or go_program("kustomize", KUSTOMIZE, Settings().cache)
    return [str(program), "build"]


def render(folder: Path) -> list[Resource]:
    """Return the resources of an overlay.

    Raises:
        NotRendered: kustomize refuses it.
    """
    done = subprocess.run([*kustomize_command(), str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotRendered(done.stderr)
    return list(yaml.safe_load_all(done.stdout))


def copy_with_secrets(folder: Path) -> Path:
    """Return a copy of all manifests in which the kind overlay has its secrets, made as an operator makes them."""
    copied = shutil.copytree(ROOT, folder / "manifests", ignore=shutil.ignore_patterns("secrets"))
    subprocess.run([copied / "overlays" / "kind" / "make-secrets.sh"], check=True, capture_output=True)
    return copied


def workloads(resources: list[Resource]) -> list[Resource]:
    """Return what runs pods."""
    return [resource for resource in resources if resource["kind"] in WORKLOADS]


def pod_of(workload: Resource) -> Resource:
    """Return the pod that a workload runs."""
    return workload["spec"]["template"]["spec"]


def named(workload: Resource) -> str:
    """Return kind and name, to tell which one failed."""
    return f"{workload['kind']}/{workload['metadata']['name']}"
