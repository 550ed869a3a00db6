"""What every pod of the platform fulfils."""

import re

import pytest
import yaml

from eartheye import __version__
from eartheye.images import SERVE_IMAGE, SERVICES_IMAGE
from services.health import LIMIT_S
from tests.manifests.rendering import named, pod_of, workloads

SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|KEY", re.IGNORECASE)
REFERENCE = re.compile(r"\$\([A-Z_]+\)")


@pytest.fixture
def pods(overlay):
    return {named(workload): pod_of(workload) for workload in workloads(overlay)}


def test_the_namespace_enforces_restricted_pod_security(overlay):
    (namespace,) = (resource for resource in overlay if resource["kind"] == "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {resource["metadata"]["namespace"] for resource in overlay if resource["kind"] != "Namespace"} == {"eartheye"}


def test_every_pod_fulfils_restricted_pod_security(pods):
    for name, pod in pods.items():
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["securityContext"]["runAsUser"] > 0, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC", "initContainers"}, name
        assert all(not volume.keys() & {"hostPath", "nfs"} for volume in pod["volumes"]), name
        for container in pod["containers"]:
            context = container["securityContext"]
            assert not context["allowPrivilegeEscalation"], name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            assert context["readOnlyRootFilesystem"], name
            assert all("hostPort" not in port for port in container.get("ports", [])), name


def test_no_pod_is_given_a_token_of_the_cluster(pods):
    assert {pod["automountServiceAccountToken"] for pod in pods.values()} == {False}


def test_every_container_says_what_it_needs_and_what_it_may_take(pods):
    for name, pod in pods.items():
        for container in pod["containers"]:
            assert container["resources"]["requests"].keys() >= {"cpu", "memory"}, name
            assert "memory" in container["resources"]["limits"], name


def test_what_keeps_running_is_probed(pods):
    for name, pod in pods.items():
        if not name.startswith("Job/"):
            (container,) = pod["containers"]
            assert container.keys() >= {"startupProbe", "readinessProbe", "livenessProbe"}, name
            ports = {port["name"] for port in container["ports"]}
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                asked = container[probe].get("httpGet") or container[probe].get("tcpSocket")
                assert asked is None or asked["port"] in ports, name


@pytest.mark.parametrize("role", ["planner", "worker", "assembler", "registry", "admin"])
def test_a_role_is_ended_for_its_own_fault_and_not_for_a_server_that_is_away(pods, role):
    (container,) = pods[f"Deployment/{role}"]["containers"]
    paths = {probe: container[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")}
    live = "/v1/health/live"  # asks no server
    assert paths == {"startupProbe": live, "readinessProbe": "/v1/health/ready", "livenessProbe": live}
    assert container["readinessProbe"]["timeoutSeconds"] > LIMIT_S


def test_images_carry_their_registry_and_a_pinned_version(pods):
    images = {container["image"] for pod in pods.values() for container in pod["containers"]}
    for image in images:
        registry, _, rest = image.partition("/")
        assert "." in registry, image
        assert re.search(r":[A-Za-z]*\.?\d[\w.-]+$|@sha256:[0-9a-f]{64}$", rest), image
        assert not image.endswith(":latest")
    assert {image for image in images if "/eartheye/" in image} == {SERVE_IMAGE, SERVICES_IMAGE}


def test_the_jobs_are_named_after_the_release(overlay):
    jobs = {job["metadata"]["name"] for job in overlay if job["kind"] == "Job"}
    assert jobs == {f"{name}-{__version__.replace('.', '-')}" for name in ("migrations", "topics", "buckets")}


def test_secrets_come_by_reference_only(overlay, pods):
    for name, pod in pods.items():
        for container in pod["containers"]:
            for variable in container.get("env", []):
                if SECRET.search(variable["name"]):
                    assert "secretKeyRef" in variable["valueFrom"], f"{name} {variable['name']}"
                elif "://" in variable.get("value", "") and "@" in variable["value"]:
                    assert REFERENCE.search(variable["value"]), f"{name} {variable['name']}"
    settings = yaml.safe_dump([resource for resource in overlay if resource["kind"] == "ConfigMap"])
    assert not re.search(r"(PASSWORD|SECRET_KEY|ACCESS_KEY): *\S", settings)


def test_production_holds_no_secret_at_all(rendered):
    assert not [resource for resource in rendered["production"] if resource["kind"] == "Secret"]


def test_every_volume_and_reference_leads_somewhere(overlay):
    there = {(resource["kind"], resource["metadata"]["name"]) for resource in overlay}
    for workload in workloads(overlay):
        pod = pod_of(workload)
        claimed = {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", [])}
        volumes = {volume["name"] for volume in pod["volumes"]} | claimed
        for container in pod["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} == volumes, named(workload)
            for source in container.get("envFrom", []):
                assert ("ConfigMap", source["configMapRef"]["name"]) in there
        for volume in pod["volumes"]:
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in there, named(workload)
            if "persistentVolumeClaim" in volume:
                assert ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]) in there, named(workload)
