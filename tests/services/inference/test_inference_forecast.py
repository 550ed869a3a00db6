"""How long a map is said to take, and of what, held against the mapping of its blocks."""

from pathlib import Path

import pytest

from eartheye.blocks import Block, Lattice, map_window
from eartheye.contracts.messages import BlockOutcome
from eartheye.predictor import open_predictor
from eartheye.raster import open_scene
from eartheye.store import Folder
from services.inference.forecast import forecast_map, middle_of, try_middle
from services.inference.outcomes import put_outcome
from services.inference.planning import PlannedJob, plan_job
from services.inference.worker import read_images
from tests.components.tiler_data import files_below
from tests.services.inference.place import QUICK, Place, make_place, write_scene


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A place where no broker answers, and none is asked."""
    return make_place(tmp_path, "127.0.0.1:1")


def plan(place: Place) -> PlannedJob:
    return plan_job(place.request("one"), place.resolve, place.settings, QUICK.block_px)


def predicted(place: Place, planned: PlannedJob) -> int:
    """Map all blocks, and return how many images the model was given."""
    predict, count = open_predictor(Folder(place.root / "serving"), place.package, "landcover", 1), 0

    def counting(images):
        nonlocal count
        count += len(images)
        return predict(images)

    with open_scene(place.scene) as scene:
        for block in planned.blocks:
            map_window(read_images(scene, place.package), counting, place.package, block.window, (0, 0))
    return count


def end(planned: PlannedJob, blocks: list[Block]) -> None:
    """Put down how blocks ended."""
    for block in blocks:
        put_outcome(Folder(planned.plan.work), BlockOutcome(plan=planned.plan.plan, block=block.name, state="empty"))


def test_the_tiles_are_those_that_workers_predict_and_nothing_is_written(place: Place):
    write_scene(place.scene, nodata=None)
    planned = plan(place)
    before = files_below(place.root)
    told = forecast_map(planned, place.settings)
    assert files_below(place.root) == before
    assert len(planned.blocks) == 12
    assert told.tiles == predicted(place, planned)
    assert told.seconds is not None
    assert told.seconds > 0


def test_tiles_without_data_are_counted_and_not_predicted(place: Place):
    planned = plan(place)
    assert 0 < predicted(place, planned) < forecast_map(planned, place.settings).tiles


def test_blocks_that_have_an_outcome_are_not_counted(place: Place):
    planned = plan(place)
    whole = forecast_map(planned, place.settings)
    assert whole.done == 0
    end(planned, planned.blocks[:5])
    rest = forecast_map(planned, place.settings)
    assert rest.done == 5
    assert 0 < rest.tiles < whole.tiles
    end(planned, planned.blocks[5:])
    nothing = forecast_map(planned, place.settings)
    assert (nothing.done, nothing.tiles, nothing.seconds) == (12, 0, 0)


def test_a_batch_of_tiles_is_tried_in_the_middle(place: Place):
    planned, lattice = plan(place), Lattice.of(place.package.input_px, place.package.overlap)
    tried, _ = try_middle(planned, lattice, place.settings)
    assert tried == place.package.batch_size == 4


@pytest.mark.parametrize(("length_px", "tiles", "touched"), [(200, 2, 2), (137, 3, 3), (47, 2, 2), (30, 3, 2), (5, 2, 1), (24, 1, 1)])
def test_a_stretch_in_the_middle_touches_as_many_tiles_as_asked(length_px: int, tiles: int, touched: int):
    lattice = Lattice(input_px=32, overlap_px=8)
    start, length = middle_of(length_px, lattice, tiles)
    assert 0 <= start < start + length <= length_px
    assert len(lattice.touching(start, length)) == touched


def test_why_there_is_no_time_is_told(place: Place):
    planned = plan(place)
    triton = place.settings.model_copy(update={"predictor": "triton", "triton_url": "127.0.0.1:1", "predictor_timeout_s": 0.5})
    told = forecast_map(planned, triton)
    assert told.seconds is None
    assert "127.0.0.1:1" in told.untried
    dark_corner = place.request("two", area=(400_001.0, 5_499_970.0, 400_040.0, 5_500_000.0))
    told = forecast_map(plan_job(dark_corner, place.resolve, place.settings, QUICK.block_px), place.settings)
    assert (told.seconds, told.untried) == (None, "the middle of the area has no data")
