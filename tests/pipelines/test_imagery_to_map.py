"""The pipeline as a definition: what is configured reaches it, and it compiles for both faces of Kubeflow."""

import json
from pathlib import Path

import pytest
import yaml

from eartheye.errors import InvalidConfig, UserError
from pipelines.compiled import compile_pipeline
from pipelines.config import ChainConfig, read_chain

CHAINS = Path(__file__).parents[2] / "services" / "demo" / "chains"
STEPS = {
    "configuration", "repetitions", "aggregator", "sampler", "tiling-plan", "tile-share", "tiler", "curator", "pretrainer",
    "backbone-evaluator", "finetuner", "task-evaluator", "exporter", "registration", "promotion", "mapping",
}  # fmt: skip


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    return compile_pipeline(tmp_path_factory.mktemp("compiled") / "imagery-to-map.yaml")


@pytest.fixture(scope="module")
def definition(compiled):
    """The pipeline; the document after it holds what only Kubernetes is told."""
    return next(yaml.safe_load_all(compiled[0].read_text()))


def steps_of(node) -> set[str]:
    if isinstance(node, dict):
        own = {node["taskInfo"]["name"]} if "taskInfo" in node and "componentRef" in node else set()
        return own.union(*map(steps_of, node.values()))
    return set().union(*map(steps_of, node)) if isinstance(node, list) else set()


def test_every_step_of_the_chain_is_in_the_compiled_pipeline(definition):
    assert steps_of(definition) >= STEPS


def test_no_step_but_lists_of_repetitions_runs_before_the_configuration_is_checked(definition):
    tasks = definition["root"]["dag"]["tasks"]

    def hangs_on(name: str) -> set[str]:
        direct = set(tasks[name].get("dependentTasks", ()))
        return direct.union(*map(hangs_on, direct))

    free = {name for name in tasks if "configuration" not in hangs_on(name)}
    assert {name.partition("-")[0] for name in free} == {"configuration", "repetitions"}


def test_the_kubernetes_manifests_hold_a_pipeline_and_its_version(compiled):
    documents = list(yaml.safe_load_all(compiled[1].read_text()))
    assert [document["kind"] for document in documents] == ["Pipeline", "PipelineVersion"]
    assert steps_of(documents[1]) >= STEPS


@pytest.mark.parametrize("name", ["x.json", "x", "file/x.yaml", "folder.yaml", "/proc/folder/x.yaml"])
def test_a_file_that_cannot_hold_the_compiled_pipeline_is_refused_and_left_out(name, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(UserError, match=r"(let it end in \.yaml|cannot be written \(.*\): choose another folder or name)$"):
        compile_pipeline(tmp_path / name)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder.yaml"]


def test_steps_with_side_effects_are_never_cached(definition):
    def cached(node):
        if isinstance(node, dict):
            if "componentRef" in node and node["taskInfo"]["name"] in STEPS and node.get("cachingOptions", {}).get("enableCache"):
                yield node["taskInfo"]["name"]
            for value in node.values():
                yield from cached(value)
        elif isinstance(node, list):
            for value in node:
                yield from cached(value)

    assert list(cached(definition)) == []


@pytest.mark.parametrize("name", ["world.yaml", "samples.yaml"])
def test_the_chains_that_come_with_the_package_are_valid(name):
    assert read_chain(CHAINS / name).maps


def test_without_samplings_the_tiler_gets_no_sites():
    chain = ChainConfig.model_validate({"name": "small", "heads": []})
    assert chain.repetitions("/run")["samplings"] == []
    assert chain.sites("/run") == ""


def test_steps_get_what_was_set_without_defaults_and_their_folders():
    chain = ChainConfig.model_validate(
        {
            "name": "small",
            "samplings": [{"title": "tiles", "sampler": {"target_sites": 5}}],
            "heads": [{"finetuner": {"title": "scenes", "task": "scenes"}}],
        }
    )
    assert chain.sites("/run") == "/run/sampling/tiles/sites"
    repeated = chain.repetitions("/run")
    folders = {"cells_folder": "/run/sampling/tiles/cells", "sites_folder": "/run/sampling/tiles/sites"}
    assert repeated["samplings"] == [{"title": "tiles", "cells": {}, "sampler": {"target_sites": 5}, **folders}]
    (head,) = repeated["heads"]
    assert (head["title"], head["finetuner"]) == ("scenes", {"title": "scenes", "task": "scenes"})
    assert head["serving_folder"] == "/run/heads/scenes/serving"
    assert chain.of_steps()["tiler"] == {}


def test_the_same_chain_through_kubeflows_numbers_is_the_same_chain():
    chain = read_chain(CHAINS / "world.yaml")
    as_struct = json.loads(json.dumps(chain.model_dump(mode="json", exclude_defaults=True)), parse_int=float)
    assert ChainConfig.model_validate(as_struct) == chain


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: [", r"chain.yaml is not YAML: correct line 1, column 8 \(.*\)$"),
        ("name: x\nsamplings: [{title: tiles, sampler: {target_sites: 1, spread: 2}}]\nheads: []", "spread"),
    ],
)
def test_a_malformed_chain_is_named(text, words, tmp_path):
    path = tmp_path / "chain.yaml"
    path.write_text(text)
    with pytest.raises(InvalidConfig, match=words):
        read_chain(path)


TILES = {"title": "tiles", "sampler": {"target_sites": 5}}
HEAD = {"finetuner": {"title": "landcover", "task": "segmentation", "samples": {"label_set": "landcover"}}}
MAP = {"title": "autumn", "model": "landcover", "scene": "autumn.tif"}


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"samplings": [TILES | {"title": "world"}]}, "no sampling is titled 'tiles': title so the one at whose sites the tiler is to cut"),
        ({"samplings": [TILES, TILES]}, "two samplings are titled 'tiles' and would share a folder: give each its own title"),
        ({"heads": [HEAD, HEAD]}, "two heads are titled 'landcover' and would share a folder: give each its own title"),
        ({"maps": [MAP, MAP | {"scene": "spring.tif"}]}, "two maps are titled 'autumn' and would share a folder: give each its own title"),
        (
            {"maps": [MAP | {"model": "roofs"}]},
            "map 'autumn': no segmentation head is titled 'roofs': add one, or name one of ['landcover']",
        ),
        (
            {"heads": [{"finetuner": {"title": "landcover", "task": "scenes"}}]},
            "map 'autumn': no segmentation head is titled 'landcover': add one, or name one of []",
        ),
        (
            {"maps": [MAP | {"area": [10, 0, 5, 5]}]},
            "map 'autumn': area [10.0, 0.0, 5.0, 5.0] is none: give west, south, east, north with west < east and south < north",
        ),
    ],
    ids=["no tiles", "samplings", "heads", "maps", "model", "scenes", "area"],
)
def test_parts_that_do_not_fit_together_are_refused_with_what_to_change(part, words, tmp_path):
    whole = {"name": "small", "samplings": [TILES], "heads": [HEAD], "maps": [MAP]}
    path = tmp_path / "chain.yaml"
    path.write_text(yaml.safe_dump(whole))
    assert read_chain(path).maps[0].title == "autumn"
    path.write_text(yaml.safe_dump(whole | part))
    with pytest.raises(InvalidConfig) as refused:
        read_chain(path)
    assert str(refused.value) == f"{path}: {words}"


@pytest.mark.parametrize("title", ["a/b", "..", "two words"])
def test_a_title_that_names_no_folder_is_refused(title, tmp_path):
    path = tmp_path / "chain.yaml"
    path.write_text(yaml.safe_dump({"name": "small", "samplings": [TILES, TILES | {"title": title}], "heads": []}))
    with pytest.raises(InvalidConfig, match=r"samplings\.1\.title: String should match pattern"):
        read_chain(path)
