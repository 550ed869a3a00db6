"""Whether a job can be done: everything that can be known before its first block is mapped."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rasterio.windows import Window as RasterWindow

from eartheye.blocks import Window, area_of
from eartheye.contracts import ServingPackage
from eartheye.contracts.messages import JobRequest
from eartheye.errors import CorruptBulk, RequestRejected, WrongBands
from eartheye.raster import Scene, open_scene, select_bands
from eartheye.settings import Settings
from eartheye.store import Folder
from services.inference.names import package_name, told_as
from services.inference.roots import inside_roots, meets


class ServedModel(Protocol):
    """A pinned version of a model; `eartheye.tracking.RegisteredModel` is one."""

    @property
    def version(self) -> int:
        """Number in the registry."""

    @property
    def serving(self) -> str:
        """Folder of the serving package."""

    @property
    def serving_digest(self) -> str:
        """Digest of the serving package's manifest."""


ModelSource = Callable[[str, str], ServedModel]
"""Returns the version that a model's alias points at now. Raises UnknownModel, or TrackingUnavailable where asking again may help."""


@dataclass(frozen=True)
class Admitted:
    """A request that can be done, and what was found out about it."""

    scene: str
    output: str
    model: ServedModel
    package: ServingPackage
    area: Window
    """In pixels of the scene."""
    file_block: tuple[int, int]
    """Width and height of the scene's blocks."""


def admit(request: JobRequest, resolve: ModelSource, settings: Settings) -> Admitted:
    """Check a request against the service's folders and limits, the model, and the scene.

    Args:
        request: what is asked.
        resolve: asked once; the job keeps the version that it names, whatever the alias does later.
        settings: allowed folders and the largest area.

    Raises:
        UserError: why it cannot be done. StoreUnavailable and TrackingUnavailable, but not UnknownModel, may pass.
    """
    scene_uri = inside_roots(request.scene, settings.allowed_roots)
    output = inside_roots(request.output, settings.allowed_roots)
    if scene_uri.startswith(output.rstrip("/") + "/"):
        raise RequestRejected(f"{request.output} holds the scene, a map could overwrite it: give the map a folder of its own")
    for asked, plain in ((request.scene, scene_uri), (request.output, output)):
        if meets(plain, settings.job_work):  # what is in it is removed when a map is there
            raise RequestRejected(f"{asked} is in or above the folder that this service keeps its blocks in: name another folder")
    model = resolve(request.model, request.alias)
    with told_as({model.serving: package_name(request.model, model.version)}):
        package = ServingPackage.read(Folder(model.serving))
    if package.digest != model.serving_digest:
        raise CorruptBulk(f"{package_name(request.model, model.version)} is not the package that was registered: export it again")
    if package.task != "segmentation":
        raise RequestRejected(f"{request.model} classifies whole scenes, a map needs a segmentation model: name another")
    with told_as({scene_uri: request.scene}), open_scene(scene_uri, request.bands, request.nodata, request.crs) as scene:
        check_fit(scene, package)
        area = area_of(scene, request.area)
        if area.width * area.height > settings.job_limit_px:
            raise RequestRejected(
                f"the area has {area.width:,} x {area.height:,} pixels, this service maps up to {settings.job_limit_px:,} in a job: "
                "ask for a smaller area, or raise EARTHEYE_JOB_LIMIT_PX"
            )
        for column, row in ((area.column, area.row), (area.right - 1, area.bottom - 1)):
            scene.read(RasterWindow(column, row, 1, 1))  # a file that was cut off in copying opens well, and ends too soon
        return Admitted(scene_uri, output, model, package, area, (scene.block_shape[1], scene.block_shape[0]))


def check_fit(scene: Scene, package: ServingPackage) -> None:
    """Refuse a scene of other bands, data type or scale than the model was trained for; nothing is resampled silently.

    Raises:
        WrongBands: a band is missing, or of another data type.
        WrongScale: the ground sampling distance is outside the model's range.
        MissingCrs: it lies nowhere on Earth, or reaches beyond it.
    """
    select_bands(scene.bands, package.image.bands)
    if scene.dtype != package.image.dtype:
        raise WrongBands(
            f"{scene.uri} holds {scene.dtype}, {package.title} takes {package.image.dtype}: convert the scene, or name another model"
        )
    package.image.check_scale(scene.gsd_m, scene.uri, f"resample the scene, or name another model than {package.title}")
