"""The overlays render, fit Kubernetes' schemas to the letter, and an error in one is told."""

import re
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from tests.manifests.rendering import ROOT, NotRendered, named, render, workloads

KUBERNETES = "1.34"
WORKLOADS = {
    *(f"StatefulSet/{name}" for name in ("kafka", "minio", "postgres")),
    *(f"Deployment/{name}" for name in ("mlflow", "triton", "planner", "worker", "assembler", "registry", "admin")),
}


def test_every_part_of_the_platform_is_there(overlay):
    names = {named(workload) for workload in workloads(overlay)}
    assert names > WORKLOADS
    assert {name.rstrip("-0123456789") for name in names - WORKLOADS} == {"Job/migrations", "Job/topics", "Job/buckets"}


def test_resources_fit_the_schemas_strictly(overlay):
    for resource in overlay:
        if not resource["apiVersion"].startswith("keda.sh/"):
            kubernetes_validate.validate(resource, KUBERNETES, strict=True)


def test_a_misspelt_field_is_refused(manifests, tmp_path):
    copied = Path(shutil.copytree(manifests, tmp_path / "manifests"))
    worker = copied / "base" / "services" / "worker.yaml"
    worker.write_text(worker.read_text().replace("terminationGracePeriodSeconds", "terminationGraceSeconds"))
    misspelt = next(found for found in render(copied / "overlays" / "production") if named(found) == "Deployment/worker")
    with pytest.raises(kubernetes_validate.ValidationError, match="terminationGraceSeconds"):
        kubernetes_validate.validate(misspelt, KUBERNETES, strict=True)


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ("triton.yaml", "tritn.yaml", "tritn.yaml"),
        ("patches:", "patchez:", "patchez"),
        ("behavior: merge", "behavior: replac", "replac"),
    ],
)
def test_a_typo_in_an_overlay_is_told(manifests, tmp_path, right, wrong, words):
    copied = Path(shutil.copytree(manifests, tmp_path / "manifests"))
    kustomization = copied / "overlays" / "production" / "kustomization.yaml"
    kustomization.write_text(kustomization.read_text().replace(right, wrong))
    with pytest.raises(NotRendered, match=words):
        render(kustomization.parent)


def test_a_patch_for_a_workload_that_is_not_there_is_told(manifests, tmp_path):
    copied = Path(shutil.copytree(manifests, tmp_path / "manifests"))
    patch = copied / "overlays" / "production" / "kafka.yaml"
    patch.write_text(patch.read_text().replace("name: kafka\nspec", "name: kafak\nspec"))
    with pytest.raises(NotRendered, match="kafak"):
        render(patch.parent)


def test_the_trial_without_its_secrets_says_which_file_is_missing(manifests, tmp_path):
    copied = Path(shutil.copytree(manifests, tmp_path / "manifests"))
    shutil.rmtree(copied / "overlays" / "kind" / "secrets")
    with pytest.raises(NotRendered, match=r"secrets/postgres\.env"):
        render(copied / "overlays" / "kind")


def test_secrets_are_made_once(manifests, tmp_path):
    copied = Path(shutil.copytree(manifests, tmp_path / "manifests")) / "overlays" / "kind"
    before = {path.name: path.read_text() for path in (copied / "secrets").iterdir()}
    subprocess.run([copied / "make-secrets.sh"], check=True, capture_output=True)
    assert {path.name: path.read_text() for path in (copied / "secrets").iterdir()} == before
    assert all(path.stat().st_mode & 0o077 == 0 for path in (copied / "secrets").iterdir())


def test_no_secret_is_committed():
    ignored = (ROOT.parent / ".gitignore").read_text().split()
    assert "manifests/overlays/kind/secrets/" in ignored
    assert not any("kind: Secret\n" in path.read_text() for path in ROOT.rglob("*.yaml"))


def test_the_namespace_is_written_in_one_place(manifests, tmp_path):
    copied = Path(shutil.copytree(manifests, tmp_path / "manifests"))
    kustomization = copied / "overlays" / "production" / "kustomization.yaml"
    kustomization.write_text(kustomization.read_text().replace("namespace: eartheye", "namespace: maps"))
    moved = render(kustomization.parent)
    assert {found["metadata"]["name" if found["kind"] == "Namespace" else "namespace"] for found in moved} == {"maps"}
    assert not re.search(r"\.eartheye\b", yaml.safe_dump_all(moved))
    (scaler,) = (found for found in moved if found["kind"] == "ScaledObject")
    assert scaler["spec"]["triggers"][0]["metadata"]["bootstrapServers"] == "kafka.maps.svc:9092"


def test_another_s3_takes_the_place_of_minio(manifests, tmp_path):
    copied = Path(shutil.copytree(manifests, tmp_path / "manifests"))
    kustomization = copied / "overlays" / "production" / "kustomization.yaml"
    kustomization.write_text(kustomization.read_text() + "components:\n  - ../../components/other-s3\n")
    rendered = render(kustomization.parent)
    names = {named(found) for found in rendered}
    assert names & {"StatefulSet/minio", "Service/minio", "NetworkPolicy/clients-to-minio", "NetworkPolicy/minio-from-its-clients"} == set()
    assert not [name for name in names if name.startswith("Job/buckets")]
    (way_out,) = (found["spec"] for found in rendered if named(found) == "NetworkPolicy/clients-to-s3")
    assert way_out["podSelector"] == {"matchLabels": {"reaches-minio": "true"}}
    assert [port["port"] for rule in way_out["egress"] for port in rule["ports"]] == [443]
    for resource in rendered:
        if not resource["apiVersion"].startswith("keda.sh/"):
            kubernetes_validate.validate(resource, KUBERNETES, strict=True)
