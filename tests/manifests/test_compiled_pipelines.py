"""The compiled pipelines are those of the code."""

import pytest
import yaml

from eartheye.images import DATA_IMAGE, SERVICES_IMAGE, TRAIN_IMAGE
from pipelines.compiled import compile_pipeline
from tests.manifests.rendering import ROOT

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
