"""Production: workers by the length of their queue, a quorum of brokers, and budgets for drained nodes."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from eartheye.bus import Bus
from eartheye.contracts.messages import JOB_BLOCKS
from eartheye.errors import ServerNotStarted
from services.inference.worker import GROUP
from tests.manifests.rendering import named, pod_of
from tests.servers.go_programs import run_go

KEDA = "github.com/kedacore/keda/v2@v2.21.0"


@pytest.fixture
def production(rendered):
    return {named(resource): resource for resource in rendered["production"]}


def test_workers_follow_the_blocks_that_wait(production):
    scaling = production["ScaledObject/worker"]["spec"]
    (trigger,) = scaling["triggers"]
    assert (trigger["metadata"]["topic"], trigger["metadata"]["consumerGroup"]) == (JOB_BLOCKS, GROUP)
    assert scaling["maxReplicaCount"] == Bus.ensure_topics.__defaults__[0]
    assert "replicas" not in production["Deployment/worker"]["spec"]


def test_the_scaler_fits_kedas_schema(production):
    try:
        module = json.loads(run_go("mod", "download", "-json", KEDA))
    except ServerNotStarted as reason:
        pytest.skip(f"KEDA's schema is fetched by Go: {reason}")
    for name, plural in (("ScaledObject/worker", "scaledobjects"), ("TriggerAuthentication/kafka", "triggerauthentications")):
        definition = yaml.safe_load((Path(module["Dir"]) / f"config/crd/bases/keda.sh_{plural}.yaml").read_text())
        (version,) = (found for found in definition["spec"]["versions"] if found["name"] == "v1alpha1")
        schema = version["schema"]["openAPIV3Schema"]
        jsonschema.validate(production[name], schema)
        assert production[name]["spec"].keys() <= schema["properties"]["spec"]["properties"].keys()


def test_the_scaler_has_the_credentials_of_the_workers(production):
    (trigger,) = production["ScaledObject/worker"]["spec"]["triggers"]
    assert (trigger["metadata"]["sasl"], trigger["authenticationRef"]) == ("scram_sha512", {"name": "kafka"})
    given = production["TriggerAuthentication/kafka"]["spec"]
    (name,), (password,) = given["env"], given["secretTargetRef"]
    (worker,) = pod_of(production["Deployment/worker"])["containers"]
    settings = production[f"ConfigMap/{worker['envFrom'][0]['configMapRef']['name']}"]["data"]
    assert (name["parameter"], name["containerName"]) == ("username", worker["name"])
    assert name["name"] in settings
    (own,) = (variable for variable in worker["env"] if variable["name"] == "EARTHEYE_KAFKA_PASSWORD")
    assert own["valueFrom"]["secretKeyRef"] == {"name": password["name"], "key": password["key"]}


def test_every_broker_votes(production):
    replicas = production["StatefulSet/kafka"]["spec"]["replicas"]
    volume = next(found for found in pod_of(production["StatefulSet/kafka"])["volumes"] if "configMap" in found)
    properties = production[f"ConfigMap/{volume['configMap']['name']}"]["data"]["server.properties"]
    voters = next(line for line in properties.splitlines() if line.startswith("controller.quorum.voters=")).partition("=")[2]
    assert voters.split(",") == [f"{node}@kafka-{node}.kafka-nodes:9093" for node in range(replicas)]


def test_a_drained_node_leaves_a_quorum(production):
    assert production["PodDisruptionBudget/kafka"]["spec"]["maxUnavailable"] == 1
    assert production["StatefulSet/kafka"]["spec"]["replicas"] == 3
