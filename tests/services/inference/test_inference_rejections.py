"""Requests that cannot be done, or must not: each leaves a recorded rejection that says why, and nothing else."""

import os
import uuid
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pydantic import ValidationError

from eartheye.bus import Bus
from eartheye.contracts import Sensor
from eartheye.contracts.messages import JobCommand
from eartheye.errors import RequestRejected, TrackingUnavailable, WrongScale
from eartheye.raster import open_scene
from eartheye.store import Folder
from models.package import check_sensor
from services.inference.admission import check_fit
from services.inference.roots import inside_roots
from tests.services.inference.by_hand import ByHand
from tests.services.inference.place import Place, Served, write_package, write_scene

RGB = ("red", "green", "blue")


@pytest.fixture
def by_hand(place: Place, bus: Bus) -> ByHand:
    return ByHand(place, bus)


@pytest.fixture
def reason(by_hand: ByHand, place: Place):
    """Send a request with some fields changed, and return why it was rejected."""

    def ask(**changes: object) -> str:
        job = f"job-{uuid.uuid4()}"
        by_hand.ask(place.request(job, **changes))
        result = by_hand.result(job)
        assert (result.state, result.map) == ("rejected", None)
        assert not (place.root / "maps" / job).exists()
        return result.reason or ""

    return ask


def test_a_scene_outside_the_roots_is_not_read(reason, tmp_path, place):
    write_scene(tmp_path / "secret.tif")
    told = reason(scene=str(tmp_path / "secret.tif"))
    assert "outside the folders of this service: name one inside its EARTHEYE_ALLOWED_ROOTS" in told
    assert str(place.root) not in told


def test_dots_do_not_lead_out_of_the_roots(reason, place, tmp_path):
    write_scene(tmp_path / "secret.tif")
    detour = f"{place.root}/{os.path.relpath(tmp_path / 'secret.tif', place.root)}"
    assert "outside the folders of this service" in reason(scene=detour)


def test_a_link_does_not_lead_out_of_the_roots(reason, place, tmp_path):
    write_scene(tmp_path / "secret.tif")
    (place.root / "link.tif").symlink_to(tmp_path / "secret.tif")
    (place.root / "folder").symlink_to(tmp_path)
    assert "outside the folders of this service" in reason(scene=str(place.root / "link.tif"))
    assert "outside the folders of this service" in reason(scene=str(place.root / "folder" / "secret.tif"))
    assert "outside the folders of this service" in reason(output=str(place.root / "folder" / "map"))


def test_a_folder_that_only_begins_like_a_root_is_outside(reason, place):
    assert "outside the folders of this service" in reason(output=f"{place.root}-evil/map")


@pytest.mark.parametrize(
    "scene",
    [
        "/vsicurl/http://example.org/x.tif",
        "http://example.org/x.tif",
        "s3://other/x.tif",
        "/etc/passwd",
        "file://elsewhere/x",
        "s3://x",
    ],
)
def test_other_places_are_not_read(reason, scene):
    assert any(words in reason(scene=scene) for words in ("outside the folders", "cannot be used"))


def test_a_map_is_not_put_where_it_could_overwrite_its_scene(reason, place):
    assert "give the map a folder of its own" in reason(output=str(place.root))


def test_neither_map_nor_scene_is_in_or_above_the_folder_of_the_blocks_which_are_removed(reason, place, bus):
    words = "is in or above the folder that this service keeps its blocks in: name another folder"
    for wanted in ({"scene": f"{place.root}/work/scene.tif"}, {"output": f"{place.root}/work"}, {"output": f"{place.root}/work/plan/map"}):
        assert reason(**wanted) == f"{next(iter(wanted.values()))} {words}"
    deeper = place.settings.model_copy(update={"job_work": str(place.root / "kept" / "work")})
    above = ByHand(Place(place.root, deeper, place.models, place.package), bus)
    above.ask(place.request("above", output=str(place.root / "kept")))
    assert above.result("above").reason == f"{place.root}/kept {words}"
    assert "blocks" not in reason(output=f"{place.root}/works/map", alias="nobody")


@pytest.mark.parametrize("crs", ["/etc/passwd", "http://example.org/crs", "EPSG:4326/../x", "+proj=longlat"])
def test_a_reference_system_is_a_code_and_nothing_that_gdal_would_look_up(place, crs):
    with pytest.raises(ValidationError, match="pattern"):
        place.request("strange", crs=crs)


@pytest.mark.parametrize("field", [{"scene": "a\0b"}, {"output": "a\nb"}, {"bands": ["red", "gre\x85en", "blue"]}])
def test_control_characters_are_taken_by_no_database_and_in_no_request(place, field):
    with pytest.raises(ValidationError, match="pattern"):
        place.request("strange", **field)
    assert place.request("plain", scene="/scenes/12\u202fNov été.tif ").scene == "/scenes/12\u202fNov été.tif "


@pytest.mark.parametrize("field", ["scene", "output"])
def test_a_field_that_is_empty_is_named(place, field):
    with pytest.raises(ValidationError, match=rf"{field}\n  String should have at least 1 character"):
        place.request("empty", **{field: ""})


def test_buckets_are_compared_part_by_part():
    roots = ["s3://maps/open"]
    assert inside_roots("s3://maps/open/scene.tif", roots) == "s3://maps/open/scene.tif"
    for outside in ("s3://maps/opening/scene.tif", "s3://maps/open/../shut/scene.tif", "s3://maps", "s3://other/open/scene.tif"):
        with pytest.raises(RequestRejected):
            inside_roots(outside, roots)


def test_nothing_is_allowed_where_no_root_is_set():
    with pytest.raises(RequestRejected, match="EARTHEYE_ALLOWED_ROOTS"):
        inside_roots("/data/scene.tif", [])


def test_a_description_that_names_other_files_is_no_scene(reason, place, tmp_path):
    write_scene(tmp_path / "secret.tif")
    source = f'<SourceFilename relativeToVRT="0">{tmp_path / "secret.tif"}</SourceFilename><SourceBand>1</SourceBand>'
    band = f'<VRTRasterBand dataType="Byte" band="1"><SimpleSource>{source}</SimpleSource></VRTRasterBand>'
    (place.root / "scene.vrt").write_text(f'<VRTDataset rasterXSize="200" rasterYSize="140">{band}</VRTDataset>')
    assert "is no GeoTIFF" in reason(scene=str(place.root / "scene.vrt"))


def test_a_scene_that_is_not_there(reason, place):
    assert "is not there" in reason(scene=str(place.root / "nowhere.tif"))


def test_a_file_that_is_no_raster(reason, place):
    (place.root / "noise.tif").write_bytes(b"no raster at all")
    assert "is no GeoTIFF" in reason(scene=str(place.root / "noise.tif"))


def test_a_scene_that_was_cut_off_in_copying(reason, place):
    whole = place.scene.read_bytes()
    (place.root / "short.tif").write_bytes(whole[: len(whole) * 2 // 3])
    assert any(words in reason(scene=str(place.root / "short.tif")) for words in ("truncated", "cannot be opened"))


def test_a_scene_without_a_reference_system(reason, place):
    write_scene(place.root / "lost.tif", crs=None)
    assert "has no reference system" in reason(scene=str(place.root / "lost.tif"))


def test_a_scene_that_lies_nowhere_on_earth(reason, place):
    write_scene(place.root / "lost.tif", crs=None)
    assert "lies nowhere on Earth under EPSG:4326" in reason(scene=str(place.root / "lost.tif"), crs="EPSG:4326")


def test_a_gigantic_area(place, bus):
    limited = Place(place.root, place.settings.model_copy(update={"job_limit_px": 20_000}), place.models, place.package)
    by_hand = ByHand(limited, bus)
    by_hand.ask(place.request("gigantic"))
    assert "200 x 140 pixels, this service maps up to 20,000" in by_hand.result("gigantic").reason
    sparse = {"driver": "GTiff", "count": 3, "dtype": "uint8", "sparse_ok": True, "tiled": True, "compress": "deflate", "crs": "EPSG:32633"}
    with rasterio.open(
        place.root / "vast.tif", "w", height=400_000, width=400_000, transform=rasterio.Affine(0.75, 0, 0, 0, -0.75, 0), **sparse
    ):
        pass
    ByHand(place, bus).ask(place.request("vast", scene=str(place.root / "vast.tif")))
    assert "raise EARTHEYE_JOB_LIMIT_PX" in by_hand.result("vast").reason


@pytest.mark.parametrize(
    "area",
    [
        (0.0, 0.0, 1.0, 1.0),
        (400_100.0, 5_499_900.0, 400_050.0, 5_500_000.0),
    ],
)
def test_an_area_that_is_none_or_elsewhere(reason, area):
    assert "area" in reason(area=area)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -1e308])
def test_numbers_that_are_none_are_refused_by_the_message_itself(place, number):
    with pytest.raises(ValidationError, match=r"finite|greater"):
        place.request("strange", area=(number, 0.0, 1.0, 1.0))


def test_a_scene_of_other_bands(reason, place):
    with rasterio.open(place.root / "pan.tif", "w", driver="GTiff", count=1, dtype="uint8", height=64, width=64, crs="EPSG:32633",
                       transform=rasterio.Affine(0.75, 0, 4e5, 0, -0.75, 5.5e6)) as file:  # fmt: skip
        file.write(np.ones((1, 64, 64), np.uint8))
    assert "bands red, green, blue are wanted, the image has pan" in reason(scene=str(place.root / "pan.tif"))
    assert "3 bands, names were given for 2" in reason(bands=("red", "green"))


def test_a_scene_of_another_data_type(reason, place):
    write_scene(place.root / "deep.tif", dtype="uint16")
    assert "holds uint16, land cover takes uint8" in reason(scene=str(place.root / "deep.tif"))


def test_a_scene_of_another_scale(reason, place):
    write_scene(place.root / "fine.tif", transform=rasterio.Affine(0.1, 0, 4e5, 0, -0.1, 5.5e6))
    told = reason(scene=str(place.root / "fine.tif"))
    assert "0.1 m wide, the model was trained for 0.5 to 1 m: resample the scene, or name another model than land cover" in told


def test_a_scale_is_a_shade_outside_the_training_s_for_scenes_as_for_tiles(place):
    for gsd_m, fits in ((0.4951, True), (1.0099, True), (0.4949, False), (1.0101, False)):
        write_scene(place.root / "shade.tif", transform=rasterio.Affine(gsd_m, 0, 4e5, 0, -gsd_m, 5.5e6))
        tiles = Sensor(name="s", bands=RGB, channels=RGB, dtype="uint16", mean=(0,) * 3, std=(1,) * 3, gsd_m=gsd_m)
        with open_scene(place.root / "shade.tif") as scene:
            for check in (
                lambda scene=scene: check_fit(scene, place.package),
                lambda tiles=tiles: check_sensor(tiles, place.package.image),
            ):
                with nullcontext() if fits else pytest.raises(WrongScale, match=r"for 0\.5 to 1 m"):
                    check()


def test_an_unknown_model(reason):
    assert "no model 'landcover' with alias 'nobody'" in reason(alias="nobody")


def test_a_serving_package_that_was_exchanged(reason, place):
    place.models["landcover", "exchanged"] = Served(2, str(place.root / "serving"), "0" * 64)
    assert "is not the package that was registered" in reason(alias="exchanged")


def test_a_scene_is_named_as_it_was_asked_for_and_not_by_where_it_lies(reason, place):
    write_scene(place.root / "kept.tif", crs=None)
    (place.root / "asked.tif").symlink_to("kept.tif")
    told = reason(scene=(place.root / "asked.tif").as_uri())
    assert told.startswith(f"file://{place.root}/asked.tif has no")
    assert "kept.tif" not in told


def test_an_output_is_named_as_it_was_asked_for_and_not_by_where_it_lies(reason, by_hand, place):
    by_hand.ask(place.request("kept"))
    assert by_hand.finish("kept").state == "done"
    (place.root / "asked").symlink_to(place.root / "maps" / "kept")
    told = reason(output=str(place.root / "asked"), area=(400_000.5, 5_499_990.0, 400_100.0, 5_500_000.0))
    assert told.startswith(f"{place.root}/asked ")
    assert "maps/kept" not in told


def test_a_fault_of_the_planner_is_told_without_what_it_had_in_hand(by_hand, place, monkeypatch):
    def broken(name: str, alias: str) -> Served:
        raise KeyError("/srv/secret/registry.db")

    monkeypatch.setattr(by_hand.planner, "_resolve", broken)
    by_hand.ask(place.request("faulty"))
    assert by_hand.result("faulty").reason == "a fault of the planner, KeyError: its log has more under the name of the job"


def test_a_serving_package_is_named_by_its_model_and_not_by_where_it_lies(reason, place):
    place.models["landcover", "lost"] = Served(4, str(place.root / "lost"), "0" * 64)
    told = reason(alias="lost")
    assert told.startswith("the serving package of landcover 4 is not finished")
    assert str(place.root) not in told


def test_a_classifier_of_whole_scenes(reason, place):
    package = write_package(Folder(place.root / "scenes"), task="scenes")
    place.models["landcover", "scenes"] = Served(3, str(place.root / "scenes"), package.digest)
    assert "a map needs a segmentation model" in reason(alias="scenes")


def test_a_registry_that_does_not_answer_is_waited_for(place, bus, monkeypatch):
    def silent(name: str, alias: str) -> Served:
        raise TrackingUnavailable("MLflow does not answer")

    patient = ByHand(place, bus)
    monkeypatch.setattr(patient.planner, "_resolve", silent)
    patient.planner.handle(place.request("patient"))
    with pytest.raises(TrackingUnavailable):
        patient.planner.plan_asked()
    monkeypatch.undo()
    assert patient.finish("patient").state == "done"


def test_a_command_about_a_job_that_nobody_asked_for(by_hand):
    with pytest.raises(RequestRejected, match="no job 'ghost' was asked for"):
        by_hand.ask(JobCommand(job="ghost", command="cancel"))


def test_rejected_requests_leave_nothing_in_the_folder_of_the_work(reason, place: Place):
    before = sorted(Path(place.settings.job_work).rglob("*"))
    reason(scene="/etc/passwd")
    assert sorted(Path(place.settings.job_work).rglob("*")) == before
