"""The tour of an operator on the real servers: `eartheye serve all` on the stack, steered in a real browser."""

from collections.abc import Iterator

import pytest

from eartheye.settings import load
from eartheye.store import Folder
from eartheye.tracking import CHAMPION, PREVIOUS, alias_version, register
from services.stack.local_stack import read_environment
from tests.services.admin.browsing import Served, chromium, needs_chromium, promote_map_and_roll_back, served, visiting
from tests.services.inference.place import write_scene
from tests.services.registry_candidate import write_report, write_serving

pytestmark = [pytest.mark.server, needs_chromium]
MODEL = "harbour-cover"
RUN = "s3://eartheye/tour"


@pytest.fixture(scope="module")
def place(stack, tmp_path_factory) -> Iterator[Served]:
    """All services on the stack; in MinIO a scene of two blocks, and two versions of a model."""
    root = tmp_path_factory.mktemp("tour")
    with pytest.MonkeyPatch.context() as patch:
        variables = read_environment(stack.root)
        for name, value in (variables | {"EARTHEYE_PREDICTOR": "onnxruntime"}).items():  # no server holds a model that is being made
            patch.setenv(name, value)
        load.cache_clear()
        for version, miou in (("a", 0.7), ("b", 0.72)):
            serving, report = Folder(f"{RUN}/{version}/serving"), Folder(f"{RUN}/{version}/report")
            package = write_serving(serving, title=f"{MODEL}-{version}", made_from=version)
            write_report(report, miou)
            register(MODEL, f"{RUN}/{version}/model", serving.root, package.digest, report.root, None)
        write_scene(root / "scene.tif", 300, 4200)
        Folder(RUN).upload("scene.tif", root / "scene.tif")
        patch.setenv("EARTHEYE_PREDICTOR", variables["EARTHEYE_PREDICTOR"])
        with served("all", root) as running:
            yield running
    load.cache_clear()


def test_promote_map_and_roll_back_on_the_real_servers(place):
    with chromium() as browser, visiting(browser, place) as page:
        promote_map_and_roll_back(page, place, MODEL, f"{RUN}/scene.tif", 2)
    assert (alias_version(MODEL, CHAMPION), alias_version(MODEL, PREVIOUS)) == (1, 2)
    assert Folder("s3://eartheye/maps/harbour").exists("map.tif")
