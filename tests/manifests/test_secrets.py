"""Each process holds the secrets that it needs, and no other."""

import re

import pytest

from tests.manifests.rendering import ROOT, named, pod_of, workloads

DATABASE = {"postgres/password"}
STORE = {"object-store/access-key", "object-store/secret-key"}
BUS = {"kafka/password"}
TRITON = {"triton/admin-key"}
HELD = {
    "Deployment/planner": DATABASE | STORE | BUS,
    "Deployment/worker": STORE | BUS,
    "Deployment/assembler": DATABASE | STORE | BUS,
    "Deployment/registry": DATABASE | STORE | BUS | TRITON,
    "Deployment/admin": DATABASE | STORE | BUS,
    "Deployment/mlflow": {"postgres/mlflow-password"},
    "Deployment/triton": TRITON,
    "StatefulSet/kafka": BUS | {"kafka-brokers/password"},
    "StatefulSet/minio": {"minio-root/user", "minio-root/password"},
    "StatefulSet/postgres": DATABASE | {"postgres/superuser-password", "postgres/mlflow-password"},
    "Job/migrations": DATABASE,
    "Job/topics": BUS,
    "Job/buckets": STORE | {"minio-root/user", "minio-root/password"},
}


def held(workload):
    """Return the secrets of a workload, as `name/key`."""
    variables = [variable for container in pod_of(workload)["containers"] for variable in container.get("env", [])]
    references = [variable["valueFrom"].get("secretKeyRef") for variable in variables if "valueFrom" in variable]
    return {f"{reference['name']}/{reference['key']}" for reference in references if reference}


def test_each_workload_holds_what_it_needs_and_no_other_secret(overlay):
    assert {re.sub(r"-[0-9-]+$", "", named(workload)): held(workload) for workload in workloads(overlay)} == HELD


def test_a_secret_reaches_a_pod_by_single_variables_alone(overlay):
    for workload in workloads(overlay):
        pod = pod_of(workload)
        assert not [volume for volume in pod["volumes"] if "secret" in volume], named(workload)
        sources = [source for container in pod["containers"] for source in container.get("envFrom", [])]
        assert not [source for source in sources if "secretRef" in source], named(workload)


def test_the_trial_makes_every_secret_with_every_key(rendered):
    made = {f"{found['metadata']['name']}/{key}" for found in rendered["kind"] if found["kind"] == "Secret" for key in found["data"]}
    assert made == set().union(*HELD.values())


@pytest.mark.parametrize("secret", sorted({name.partition("/")[0] for names in HELD.values() for name in names}))
def test_the_secrets_of_production_are_written_down_with_their_keys(secret):
    row = next(line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith(f"| `{secret}` |"))
    for key in {name.partition("/")[2] for names in HELD.values() for name in names if name.startswith(f"{secret}/")}:
        assert f"`{key}`" in row
