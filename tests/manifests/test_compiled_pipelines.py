"""The compiled pipelines are those of the code."""

import pytest
import yaml

from eartheye.images import DATA_IMAGE, SERVICES_IMAGE, TRAIN_IMAGE
from eartheye.settings import Settings
from pipelines.compiled import compile_pipeline
from pipelines.environment import GIVEN, SETTINGS
from tests.manifests.rendering import ROOT, render

COMPILED = ROOT / "pipelines" / "imagery-to-map.yaml"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    return compile_pipeline(tmp_path_factory.mktemp("compiled") / COMPILED.name)


def test_the_committed_pipelines_are_what_the_code_compiles_to(fresh):
    for path in fresh:
        committed = COMPILED.with_name(path.name)
        words = "is not what the code compiles to: run `eartheye pipeline compile manifests/pipelines/imagery-to-map.yaml`"
        assert committed.read_text() == path.read_text(), f"{committed} {words}"


def test_steps_run_the_images_of_the_platform():
    spec = next(yaml.safe_load_all(COMPILED.read_text()))
    images = {executor["container"]["image"] for executor in spec["deploymentSpec"]["executors"].values()}
    assert images == {DATA_IMAGE, TRAIN_IMAGE, SERVICES_IMAGE}


def test_the_native_manifests_are_a_pipeline_and_its_version():
    resources = list(yaml.safe_load_all(COMPILED.with_name("imagery-to-map-kubernetes.yaml").read_text()))
    assert [resource["kind"] for resource in resources] == ["Pipeline", "PipelineVersion"]
    assert resources[1]["spec"]["pipelineName"] == resources[0]["metadata"]["name"]


def test_every_step_is_given_the_settings_and_the_credentials_by_reference():
    spec, platform = yaml.safe_load_all(COMPILED.read_text())
    given = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert given.keys() == spec["deploymentSpec"]["executors"].keys()
    for executor in given.values():
        (settings,), secrets = executor["configMapAsEnv"], executor["secretAsEnv"]
        variables = {entry["envVar"] for source in (settings, *secrets) for entry in source["keyToEnv"]}
        assert variables <= {f"EARTHEYE_{name.upper()}" for name in Settings.model_fields}
        assert settings["configMapName"] == SETTINGS
        assert {secret["secretName"] for secret in secrets} == {"object-store", "kafka"}


def test_the_settings_of_the_steps_are_made_with_the_pipeline(manifests):
    resources = {resource["kind"]: resource for resource in render(manifests / "pipelines")}
    assert resources.keys() == {"ConfigMap", "Pipeline", "PipelineVersion"}
    assert resources["ConfigMap"]["metadata"]["name"] == SETTINGS
    assert resources["ConfigMap"]["data"].keys() == set(GIVEN)
