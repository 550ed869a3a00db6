"""The trial overlay on a real control plane: `make test-cluster`. Not collected with the other tests: building its programs takes long."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from eartheye.errors import ServerNotStarted
from eartheye.settings import Settings
from tests.cluster.control_plane import ControlPlane, control_plane
from tests.cluster.programs import control_plane_programs
from tests.manifests.rendering import copy_with_secrets, named, pod_of, render, workloads

NAMESPACE = "--namespace=eartheye"
LIMIT = "--timeout=180s"
NODES = 3
VOLUME = {"capacity": {"storage": "50Gi"}, "accessModes": ["ReadWriteOnce", "ReadWriteMany"], "storageClassName": "standard"}


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifests with generated secrets."""
    return copy_with_secrets(tmp_path_factory.mktemp("manifests"))


@pytest.fixture(scope="module")
def plane(manifests: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane with simulated nodes, volumes, and the definitions that the overlays need."""
    try:
        programs = control_plane_programs(Settings().cache)
    except ServerNotStarted as reason:
        pytest.skip(f"the control plane is built by Go: {reason}")
    begun = time.monotonic()
    with control_plane(programs, tmp_path_factory.mktemp("control-plane")) as plane:
        for definition in programs.definitions:
            plane.must("apply", "--server-side", f"--filename={definition}")
        plane.must("apply", "--filename=-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": [*nodes(), *storage()]}))
        plane.must("apply", f"--filename={manifests / 'base' / 'namespace.yaml'}")
        plane.must("wait", "--for=condition=Ready", "node", "--all", LIMIT)
        print(f"\ncontrol plane with {NODES} simulated nodes: {time.monotonic() - begun:.0f} s")
        yield plane
        memory = plane.peak_memory_mb()
        print(
            f"\nmemory at its peak, MB: {', '.join(f'{name} {mb:.0f}' for name, mb in memory.items())}; together {sum(memory.values()):.0f}"
        )


def nodes() -> Iterator[dict]:
    """Yield nodes of 16 cores that kwok plays."""
    for number in range(NODES):
        name = f"node-{number}"
        room = {"cpu": "16", "memory": "64Gi", "pods": "110"}
        labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
        metadata = {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}}
        yield {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "status": {"capacity": room, "allocatable": room}}


def storage() -> Iterator[dict]:
    """Yield a default storage class and volumes of it, since nothing here makes one that is claimed."""
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    yield {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "standard", "annotations": default},
        "provisioner": "kubernetes.io/no-provisioner",
    }
    for number in range(5):
        spec = VOLUME | {"hostPath": {"path": f"/nowhere/{number}"}}
        yield {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": f"volume-{number}"}, "spec": spec}


def test_production_is_accepted_by_the_api_server(plane, manifests):
    said = plane.must("apply", "--server-side", "--dry-run=server", f"--kustomize={manifests / 'overlays' / 'production'}")
    assert "scaledobject.keda.sh/worker serverside-applied (server dry run)" in said


def test_a_pod_that_may_do_more_than_restricted_is_refused(plane):
    done = plane.kubectl("run", "root", "--image=docker.io/library/busybox:1.37", NAMESPACE, "--dry-run=server")
    assert done.returncode
    assert "violates PodSecurity" in done.stderr


def test_an_overlay_with_a_typo_is_refused(plane, manifests):
    worker = manifests / "base" / "services" / "worker.yaml"
    whole = worker.read_text()
    worker.write_text(whole.replace("terminationGracePeriodSeconds", "terminationGraceSeconds"))
    done = plane.kubectl("apply", "--server-side", "--dry-run=server", f"--kustomize={manifests / 'overlays' / 'production'}")
    worker.write_text(whole)
    assert done.returncode
    assert "terminationGraceSeconds" in done.stderr


def test_every_workload_of_the_trial_becomes_available(plane, manifests):
    begun = time.monotonic()
    overlay = manifests / "overlays" / "kind"
    applied = plane.kubectl("apply", "--server-side", f"--kustomize={overlay}")
    assert (applied.returncode, applied.stderr) == (0, "")
    wanted = workloads(render(overlay))
    for workload in wanted:
        if workload["kind"] == "Job":
            plane.must("wait", "--for=condition=Complete", named(workload), NAMESPACE, LIMIT)
        else:
            plane.must("rollout", "status", named(workload), NAMESPACE, LIMIT)
    for deployment in (workload for workload in wanted if workload["kind"] == "Deployment"):
        plane.must("wait", "--for=condition=Available", named(deployment), NAMESPACE, LIMIT)
    pods = json.loads(plane.must("get", "pods", NAMESPACE, "--output=json"))["items"]
    phases = sorted(pod["status"]["phase"] for pod in pods)
    assert phases == ["Running"] * 10 + ["Succeeded"] * 3
    print(f"\n{len(wanted)} workloads available: {time.monotonic() - begun:.0f} s")


def test_a_changed_setting_reaches_the_services_and_the_jobs_stay(plane, manifests):
    overlay = manifests / "overlays" / "kind"
    before = settings_of(plane)
    settings = manifests / "base" / "settings.env"
    settings.write_text(settings.read_text() + "EARTHEYE_LOG_LEVEL=DEBUG\n")
    plane.must("apply", "--server-side", f"--kustomize={overlay}")
    for workload in workloads(render(overlay)):
        if workload["kind"] == "Deployment":
            plane.must("rollout", "status", named(workload), NAMESPACE, LIMIT)
    after = settings_of(plane)
    services = {name for name in before if name.startswith("Deployment/")}
    assert {name for name in before if before[name] != after[name]} == services
    for name in after.values():
        assert plane.must("get", "configmap", name, NAMESPACE, "--output=jsonpath={.data.EARTHEYE_LOG_LEVEL}") == "DEBUG"


def test_another_image_of_the_same_release_runs_the_jobs_again(plane, manifests):
    overlay = manifests / "overlays" / "kind"
    kustomization = overlay / "kustomization.yaml"
    digest = "sha256:" + "ab" * 32
    kustomization.write_text(f"{kustomization.read_text()}images:\n  - name: docker.io/eartheye/services\n    digest: {digest}\n")
    refused = plane.kubectl("apply", "--server-side", f"--kustomize={overlay}")
    assert refused.returncode
    assert "field is immutable" in refused.stderr
    plane.must("delete", "job", "--all", NAMESPACE, LIMIT)
    plane.must("apply", "--server-side", f"--kustomize={overlay}")
    plane.must("wait", "--for=condition=Complete", "job", "--all", NAMESPACE, LIMIT)
    images = plane.must("get", "jobs", NAMESPACE, "--output=jsonpath={..image}").split()
    assert images == [f"docker.io/eartheye/services@{digest}"] * 3


def settings_of(plane: ControlPlane) -> dict[str, str]:
    """Return the ConfigMap that each process of the platform is given."""
    listed = json.loads(plane.must("get", "deployment,job", "--selector=settings=eartheye", NAMESPACE, "--output=json"))["items"]
    return {named(workload): pod_of(workload)["containers"][0]["envFrom"][0]["configMapRef"]["name"] for workload in listed}
