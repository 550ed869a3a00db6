"""A package whose numbers cannot work is refused where it is read: a model that gives nothing would give empty maps."""

import json

import pytest

from eartheye.contracts import ClassSpec, ModelPackage, ServingPackage
from eartheye.contracts.package import Architecture, ImageSpec, Provenance
from eartheye.errors import UnreadableManifest
from eartheye.store import Bulk, Folder

BULK = Bulk(name="model.onnx", size=0, sha256="0" * 64)
IMAGE = ImageSpec(bands=("red", "nir"), dtype="uint8", mean=(100.0, 50.0), std=(20.0, 0.0), gsd_m=1.0, gsd_range_m=(0.5, 2.0))
SERVING = ServingPackage(
    made_from="",
    title="cover",
    task="segmentation",
    model_digest="",
    onnx=BULK,
    golden=BULK,
    image=IMAGE,
    input_px=56,
    overlap=0.25,
    batch_size=4,
    classes=(ClassSpec(value=1, name="water", colour="#0000aa"),),
    parity=0.0,
    licence=(),
    attribution=(),
)
MODEL = ModelPackage(
    made_from="",
    title="backbone",
    task="backbone",
    architecture=Architecture(name="vit-nano/14", backbone={}, image_px=56),
    weights=BULK,
    image=IMAGE,
    input_px=56,
    provenance=Provenance(trained_on=(), code="1", licence=(), attribution=()),
)


def read_changed(package, tmp_path, *place, value):
    """Read a package in which one value was changed by hand."""
    fields = package.model_dump(mode="json")
    part = fields
    for name in place[:-1]:
        part = part[name]
    part[place[-1]] = value
    (tmp_path / package.name).write_text(json.dumps(fields))
    return type(package).read(Folder(tmp_path))


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        (("input_px",), 0, "input_px: Input should be greater than 0"),
        (("overlap",), 0.51, r"overlap: Input should be less than or equal to 0\.5"),
        (("overlap",), -0.1, "overlap: Input should be greater than or equal to 0"),
        (("overlap",), float("nan"), "overlap: Input should be"),
        (("image", "bands"), [], "image.bands: Tuple should have at least 1 item"),
        (("image", "mean"), [1.0], "image: 1 means and 2 deviations of 2 bands: give one each"),
        (("image", "mean"), [1.0, float("inf")], "image.mean.1: Input should be a finite number"),
        (("image", "std"), [1.0, -1.0], "image.std.1: Input should be greater than or equal to 0"),
        (("image", "gsd_m"), 0, "image.gsd_m: Input should be greater than 0"),
        (("image", "gsd_range_m"), [2.0, 0.5], r"image: gsd_range_m \(2\.0, 0\.5\): the smallest comes first"),
    ],
)
@pytest.mark.parametrize("package", [SERVING, MODEL], ids=["serving", "model"])
def test_numbers_that_no_image_can_have_are_refused(package, place, value, told, tmp_path):
    with pytest.raises(UnreadableManifest, match=told):
        read_changed(package, tmp_path, *place, value=value)


@pytest.mark.parametrize(
    ("package", "place", "value", "told"),
    [
        (SERVING, ("batch_size",), 0, "batch_size: Input should be greater than 0"),
        (SERVING, ("classes",), [], "classes: Tuple should have at least 1 item"),
        (SERVING, ("classes", 0, "value"), 0, "classes.0.value: Input should be greater than or equal to 1"),
        (SERVING, ("classes", 0, "colour"), "blue", "classes.0.colour: String should match pattern"),
        (SERVING, ("parity",), 1.5, "parity: Input should be less than or equal to 1"),
        (MODEL, ("architecture", "image_px"), 0, "architecture.image_px: Input should be greater than 0"),
    ],
)
def test_numbers_that_no_model_can_have_are_refused(package, place, value, told, tmp_path):
    with pytest.raises(UnreadableManifest, match=told):
        read_changed(package, tmp_path, *place, value=value)


@pytest.mark.parametrize("package", [SERVING, MODEL], ids=["serving", "model"])
def test_a_package_as_it_was_written_is_read(package, tmp_path):
    assert read_changed(package, tmp_path, "title", value="another").title == "another"
