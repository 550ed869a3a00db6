"""Nothing is reachable but by a named flow."""

import pytest

from tests.manifests.rendering import named, workloads

LABEL = "app.kubernetes.io/name"
REACHES = {
    "planner": {"kafka", "postgres", "minio", "mlflow"},
    "worker": {"kafka", "minio", "triton"},
    "assembler": {"kafka", "postgres", "minio"},
    "registry": {"kafka", "postgres", "minio", "mlflow", "triton"},
    "admin": {"kafka", "postgres", "minio", "mlflow", "triton"},
    "mlflow": {"postgres"},
    "migrations": {"postgres"},
    "topics": {"kafka"},
    "buckets": {"minio"},
    "kafka": {"kafka"},
    "minio": set(),
    "postgres": set(),
    "triton": set(),
}


@pytest.fixture
def policies(overlay):
    return {policy["metadata"]["name"]: policy["spec"] for policy in overlay if policy["kind"] == "NetworkPolicy"}


def test_nothing_goes_in_or_out_by_default(policies):
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_each_process_reaches_the_servers_it_needs_and_no_other(overlay):
    for workload in workloads(overlay):
        labels = workload["spec"]["template"]["metadata"]["labels"]
        reached = {label.removeprefix("reaches-") for label in labels if label.startswith("reaches-")}
        assert reached == REACHES[labels[LABEL]], named(workload)


@pytest.mark.parametrize("server", ["kafka", "minio", "postgres", "mlflow", "triton"])
def test_a_flow_is_open_at_both_ends_on_the_ports_of_the_service(overlay, policies, server):
    (service,) = (found for found in overlay if found["kind"] == "Service" and found["metadata"]["name"] == server)
    ports = [port["port"] for port in service["spec"]["ports"]]
    client = {"podSelector": {"matchLabels": {f"reaches-{server}": "true"}}}
    serving, reaching = policies[f"{server}-from-its-clients"], policies[f"clients-to-{server}"]
    assert serving["podSelector"]["matchLabels"] == service["spec"]["selector"] == {LABEL: server}
    assert client in serving["ingress"][0]["from"]
    assert reaching["podSelector"] == client["podSelector"]
    assert reaching["egress"][0]["to"] == [{"podSelector": {"matchLabels": {LABEL: server}}}]
    assert [port["port"] for port in serving["ingress"][0]["ports"]] == ports
    assert [port["port"] for port in reaching["egress"][0]["ports"]] == ports


def test_every_policy_selects_a_pod_that_is_there(overlay, policies):
    labels = [workload["spec"]["template"]["metadata"]["labels"] for workload in workloads(overlay)]
    for name, policy in policies.items():
        wanted = policy["podSelector"].get("matchLabels", {})
        assert any(wanted.items() <= found.items() for found in labels), name


def test_pipelines_reach_what_they_use_and_neither_tables_nor_models(policies):
    kubeflow = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kubeflow"}}}
    opened = {name for name, policy in policies.items() for rule in policy.get("ingress", []) if kubeflow in rule["from"]}
    assert opened == {f"{server}-from-its-clients" for server in ("kafka", "minio", "mlflow")}
