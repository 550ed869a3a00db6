"""A catalogue is refused where it is read, not where its values are first used."""

import pytest
import yaml

from eartheye.contracts import read_catalogue
from eartheye.errors import InvalidCatalogue

WATER = {"value": 1, "name": "water", "colour": "#0000aa"}
LAND = {"value": 2, "name": "land", "colour": "#00aa00"}


def catalogue(**fields):
    return {"title": "t", "licence": "CC0", "attribution": "nobody"} | fields


def scene(**fields):
    return catalogue(scenes=[{"path": "a.tif", "sensor": "s", "bands": ["red", "green", "blue"]} | fields])


def images(**fields):
    return catalogue(images=[{"path": "a", "sensor": "s", "bands": ["red", "green", "blue"]} | fields])


def labels(*classes, **fields):
    return catalogue(labels=[{"kind": "raster", "name": "cover", "path": "a.tif", "classes": list(classes)} | fields])


def masks(*classes):
    return catalogue(labels=[{"kind": "masks", "name": "m", "images": "a", "find": ["a", "b"], "classes": list(classes)}])


def read(tmp_path, fields):
    path = tmp_path / "catalogue.yaml"
    path.write_text(yaml.safe_dump(fields))
    return read_catalogue(path)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (images(group_pattern="("), "images.0.group_pattern: Input should be a valid regular expression"),
        (images(group_pattern=r"t\d"), r"images.0.group_pattern: t\d has 0 groups: put one pair of parentheses around what images share"),
        (images(bands=["red", "red"], channels=["red"]), "images.0: a name stands twice among the bands ['red', 'red']"),
        (images(channels=[]), "images.0.channels: Tuple should have at least 1 item"),
        (scene(gsd_m=-1), "scenes.0.gsd_m: Input should be greater than 0"),
        (scene(gsd_m=0), "scenes.0.gsd_m: Input should be greater than 0"),
        (scene(gsd_m=float("nan")), "scenes.0.gsd_m: Input should be "),
        (scene(gsd_m=float("inf")), "scenes.0.gsd_m: Input should be a finite number"),
        (scene(crs='LOCAL_CS["x",UNIT["metre",1]]'), "scenes.0.crs: String should match pattern"),
        (scene(quarter="0000Q1"), "scenes.0.quarter: String should match pattern"),
        (labels(), "labels.0.raster.classes: Tuple should have at least 1 item"),
        (labels(WATER, name="x" * 600), "labels.0.raster.name: String should have at most 100 characters"),
        (labels(WATER, name=""), "labels.0.raster.name: String should have at least 1 character"),
        (labels(WATER | {"value": 0}), "labels.0.raster.classes.0.value: Input should be greater than or equal to 1"),
        (labels(WATER | {"colour": "green"}), "labels.0.raster.classes.0.colour: String should match pattern"),
        (labels(WATER | {"colour": "#fff"}), "labels.0.raster.classes.0.colour: String should match pattern"),
        (labels(WATER, LAND | {"name": "water"}), "two classes of labels 'cover' are called 'water': give each its own `name`"),
        (labels(WATER, smallest_width_m=-1), "labels.0.raster.smallest_width_m: Input should be greater than or equal to 0"),
        (masks(WATER, LAND | {"colour": "#0000AA"}), "two classes of labels 'm' are #0000aa in the masks: give each its own `colour`"),
        ([scene()], "write fields here, each as `name: value`"),
        (catalogue(scenes=["a.tif"]), "scenes.0: write fields here, each as `name: value`"),
    ],
)
def test_a_value_that_would_fail_later_is_told_with_its_place(fields, told, tmp_path):
    with pytest.raises(InvalidCatalogue) as caught:
        read(tmp_path, fields)
    assert str(caught.value).startswith(f"{tmp_path}/catalogue.yaml: {told}")


def test_what_a_catalogue_may_say_is_read(tmp_path):
    assert read(tmp_path, images(group_pattern=r"(tile\d+)")).images[0].group_pattern.search("a/tile7.png").group(1) == "tile7"
    assert read(tmp_path, scene(gsd_m=0.5, nodata=float("nan"), quarter="2023Q4")).scenes[0].gsd_m == 0.5
    assert read(tmp_path, labels(WATER, LAND | {"colour": "#0000aa"})).labels[0].classes[1].name == "land"  # of a raster, no matter
