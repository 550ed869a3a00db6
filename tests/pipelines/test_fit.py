"""A chain and data that do not fit together."""

import pytest

from eartheye.contracts import Catalogue
from eartheye.errors import InvalidConfig
from eartheye.store import Folder
from pipelines.config import ChainConfig
from pipelines.fit import check_labels, check_scenes

CLASSES = [{"value": 1, "name": "land", "colour": "#808080"}, {"value": 2, "name": "water", "colour": "#0000ff"}]
CATALOGUE = {
    "title": "Harbour",
    "licence": "CC0-1.0",
    "attribution": "nobody",
    "labels": [{"kind": "raster", "name": "cover", "path": "cover.tif", "classes": CLASSES}],
}
IMAGES = {"path": "scenes", "sensor": "web", "bands": ["red", "green", "blue"], "labelled_by_folder": True}
COVER = {"samples": {"label_set": "cover"}}


def chain(evaluator: dict, samples: dict) -> ChainConfig:
    head = {"finetuner": {"title": "water", "task": "scenes", "samples": samples}}
    return ChainConfig.model_validate({"name": "harbour", "evaluator": evaluator, "heads": [head]})


def test_label_sets_of_the_catalogue_are_accepted():
    check_labels(chain(COVER, {"label_set": "cover"}), Catalogue.model_validate(CATALOGUE))


def test_images_labelled_by_their_folder_need_no_label_set():
    check_labels(chain({}, {}), Catalogue.model_validate(CATALOGUE | {"images": [IMAGES]}))


@pytest.mark.parametrize(
    ("evaluator", "samples", "told"),
    [
        ({}, {"label_set": "cover"}, r"evaluator\.samples\.label_set is not set.*or choose one of its label sets, \['cover'\]"),
        (COVER, {}, r"heads\.0\.finetuner\.samples\.label_set is not set"),
        (
            COVER,
            {"label_set": "covre"},
            r"heads\.0\.finetuner\.samples\.label_set: the catalogue has no 'covre': choose one of \['cover'\]",
        ),
    ],
)
def test_labels_that_the_catalogue_does_not_name_are_refused(evaluator, samples, told):
    with pytest.raises(InvalidConfig, match=told):
        check_labels(chain(evaluator, samples), Catalogue.model_validate(CATALOGUE))


def test_a_map_of_a_scene_that_is_not_there_is_refused(tmp_path):
    head = {"finetuner": {"title": "water", "task": "segmentation", **COVER}}
    wanted = {"title": "later", "model": "water", "scene": "scenes/later.tif"}
    later = ChainConfig.model_validate({"name": "harbour", "heads": [head], "maps": [wanted]})
    with pytest.raises(
        InvalidConfig, match=r"map 'later': there is no .*/scenes/later\.tif: name a raster of the data folder as its scene"
    ):
        check_scenes(later, str(tmp_path))
    with Folder(tmp_path).create("scenes/later.tif") as file:
        file.write(b"II")
    check_scenes(later, str(tmp_path))
