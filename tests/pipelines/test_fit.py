"""A chain and data that do not fit together."""

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from eartheye.contracts import Catalogue
from eartheye.errors import EmptyArea, InvalidCatalogue, InvalidConfig, MissingCrs, UserError, WrongBands
from pipelines.config import ChainConfig
from pipelines.fit import check_fit, check_maps, check_samples

CLASSES = [{"value": 1, "name": "land", "colour": "#808080"}, {"value": 2, "name": "water", "colour": "#0000ff"}]
COVER_LABELS = {"kind": "raster", "name": "cover", "path": "cover.tif", "classes": CLASSES}
SCENE = {"path": "harbour.tif", "sensor": "pan-50cm", "bands": ["pan"], "channels": ["pan"], "cut": "cover"}
CATALOGUE = {"title": "Harbour", "licence": "CC0-1.0", "attribution": "nobody", "scenes": [SCENE], "labels": [COVER_LABELS]}
IMAGES = {"path": "scenes", "sensor": "web", "bands": ["red", "green", "blue"], "labelled_by_folder": True}
BUILDINGS = {
    "kind": "vector",
    "name": "cover",
    "path": "b.geojson",
    "scene": "harbour.tif",
    "background": CLASSES[0],
    "foreground": CLASSES[1],
}
PARCELS = {"kind": "masks", "name": "cover", "images": "scenes", "find": ["images/", "masks/"], "classes": CLASSES}
COVER = {"samples": {"label_set": "cover"}}
MAP = {"title": "later", "model": "water", "scene": "later.tif"}


def chain(evaluator: dict, samples: dict, **more) -> ChainConfig:
    head = {"finetuner": {"title": "water", "task": "segmentation" if "maps" in more else "scenes", "samples": samples}}
    return ChainConfig.model_validate({"name": "harbour", "evaluator": evaluator, "heads": [head], **more})


def catalogue(**more) -> Catalogue:
    return Catalogue.model_validate(CATALOGUE | more)


def write(path, crs="EPSG:32650", bands=1):
    spec = {"height": 8, "width": 8, "count": bands, "dtype": "uint8", "crs": crs, "transform": from_origin(500_000, 3_300_000, 1, 1)}
    with rasterio.open(path, "w", driver="GTiff", **spec) as file:
        file.write(np.ones((bands, 8, 8), np.uint8))


@pytest.mark.parametrize(
    "labels", [COVER_LABELS, COVER_LABELS | {"scenes": ["harbour.tif"]}, BUILDINGS, PARCELS], ids=lambda label: label["kind"]
)
def test_label_sets_of_the_catalogue_are_accepted(labels):
    check_samples(chain(COVER, {"label_set": "cover", "input_px": 574}), catalogue(labels=[labels], images=[IMAGES]))


def test_images_labelled_by_their_folder_need_no_label_set():
    check_samples(chain({}, {"sensor": "web"}), catalogue(images=[IMAGES]))


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
        (
            COVER,
            {"label_set": "cover", "sensor": "pan"},
            r"samples\.sensor: no imagery of 'pan' has these labels: choose one of \['pan-50cm'\]",
        ),
        (COVER, {"label_set": "cover", "input_px": 588}, r"samples\.input_px is 588, and its tiles are 574 px wide: lower it, or raise"),
    ],
)
def test_samples_that_the_catalogue_does_not_have_are_refused(evaluator, samples, told):
    with pytest.raises(InvalidConfig, match=told):
        check_samples(chain(evaluator, samples), catalogue())


def test_tiles_are_as_wide_as_the_scenes_with_the_labels_say():
    small, large = SCENE | {"chip_px": 140}, SCENE | {"path": "town.tif", "sensor": "rgb", "chip_px": 280}
    both = catalogue(scenes=[small, large])
    check_samples(chain(COVER, {"label_set": "cover"}), both)
    with pytest.raises(InvalidConfig, match="input_px is 224, and its tiles are 140 px wide"):
        check_samples(chain(COVER, {"label_set": "cover", "sensor": "pan-50cm"}), both)
    with pytest.raises(InvalidConfig, match="input_px is 224, and its tiles are 140 px wide"):
        check_samples(chain(COVER, {"label_set": "cover"}), catalogue(scenes=[small, large], labels=[BUILDINGS]))
    with pytest.raises(InvalidConfig, match="no imagery for 'cover': add some"):
        check_samples(chain(COVER, {"label_set": "cover"}), catalogue(scenes=[]))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"labels": [COVER_LABELS | {"path": "covre.tif"}]}, "the labels covre.tif are not in "),
        (
            {"labels": [COVER_LABELS | {"scenes": ["habour.tif"]}]},
            r"labels 'cover' are of \['habour.tif'\], which the catalogue does not have",
        ),
        ({"labels": [COVER_LABELS, COVER_LABELS]}, r"labels \['cover'\] stand twice"),
        ({"scenes": [SCENE, SCENE]}, "harbour.tif stands twice"),
        ({"scenes": [SCENE, SCENE | {"path": "habour.tif"}]}, "the scene habour.tif is not in "),
    ],
)
def test_a_catalogue_that_the_tiler_would_refuse_is_refused_before_anything_is_drawn(data, told, tmp_path):
    for name in ("harbour.tif", "cover.tif"):
        write(tmp_path / name)
    with pytest.raises(InvalidCatalogue, match=told):
        check_fit(chain(COVER, COVER["samples"]), catalogue(**data), str(tmp_path))


def test_samplings_need_what_cells_are_described_by(tmp_path):
    for name in ("harbour.tif", "cover.tif"):
        write(tmp_path / name)
    check_fit(chain(COVER, COVER["samples"]), catalogue(), str(tmp_path))
    drawn = chain(COVER, COVER["samples"], samplings=[{"title": "tiles", "sampler": {"target_sites": 5}}])
    with pytest.raises(InvalidCatalogue, match="the catalogue 'Harbour' names no land_cover"):
        check_fit(drawn, catalogue(), str(tmp_path))


def test_a_map_of_a_scene_that_is_not_there_is_refused(tmp_path):
    later = chain(COVER, COVER["samples"], maps=[MAP])
    with pytest.raises(InvalidConfig, match=r"map 'later': there is no .*/later\.tif: name a raster of the data folder as its scene"):
        check_maps(later, catalogue(), str(tmp_path))
    write(tmp_path / "later.tif")
    check_maps(later, catalogue(), str(tmp_path))


@pytest.mark.parametrize(
    ("file", "entry", "refused"),
    [
        ({"crs": None}, {"crs": "EPSG:4326"}, MissingCrs),
        ({"crs": None}, {}, MissingCrs),
        ({"crs": None}, {"crs": "EPSG:32650"}, None),
        ({"bands": 3}, {}, WrongBands),
        ({"bands": 3}, {"bands": ["pan", "mask", "haze"]}, None),
    ],
)
def test_a_mapped_scene_is_opened_as_the_catalogue_says(file, entry, refused, tmp_path):
    write(tmp_path / "later.tif", **file)
    given = catalogue(scenes=[SCENE | {"path": "later.tif"} | entry]), str(tmp_path)
    if refused is None:
        check_maps(chain(COVER, COVER["samples"], maps=[MAP]), *given)
    else:
        with pytest.raises(refused):
            check_maps(chain(COVER, COVER["samples"], maps=[MAP]), *given)


def test_a_map_of_an_area_beside_its_scene_is_refused(tmp_path):
    write(tmp_path / "later.tif")

    def check(west):
        area = [west, 3_299_990, west + 4, 3_300_000]
        check_maps(chain(COVER, COVER["samples"], maps=[MAP | {"area": area}]), catalogue(), str(tmp_path))

    check(500_004)
    with pytest.raises(EmptyArea, match="lies outside"):
        check(500_008)


def test_what_is_no_raster_is_not_mapped(tmp_path):
    (tmp_path / "later.tif").write_bytes(b"II")
    with pytest.raises(UserError, match=r"later\.tif"):
        check_maps(chain(COVER, COVER["samples"], maps=[MAP]), catalogue(), str(tmp_path))
