"""Routes of the datasets."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response

from eartheye.store import Folder
from services.admin.datasets.catalogue import find_dataset, list_datasets
from services.admin.datasets.features import features, list_tiles
from services.admin.datasets.pictures import open_tiles, picture
from services.admin.datasets.schemas import DatasetOut, FeatureCollection, TileOut
from services.admin.platform import PlatformDep

router = APIRouter(tags=["datasets"])
PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}}}


def _dataset(
    folder: Annotated[str, Query(max_length=1024, description="As the list of datasets has it.")], platform: PlatformDep
) -> Folder:
    return find_dataset(folder, platform.settings)


DatasetDep = Annotated[Folder, Depends(_dataset)]


@router.get("/v1/datasets")
def get_datasets(platform: PlatformDep) -> list[DatasetOut]:
    """The finished folders of sites and of tiles inside the folders of the service."""
    return list_datasets(platform.settings)


@router.get("/v1/datasets/geojson")
def get_geojson(folder: DatasetDep, limit: Annotated[int, Query(gt=0, le=50_000)] = 5000) -> FeatureCollection:
    """Sites as points, or tiles by their outlines."""
    return features(folder, limit)


@router.get("/v1/datasets/tiles")
def get_tiles(
    folder: DatasetDep, limit: Annotated[int, Query(gt=0, le=1000)] = 100, after: Annotated[int, Query(ge=-1)] = -1
) -> list[TileOut]:
    """Tiles by number, those after one."""
    return list_tiles(open_tiles(folder), limit, after)


@router.get("/v1/datasets/tiles/{tile}/picture", response_class=Response, responses=PNG)
def get_picture(tile: Annotated[int, Path(ge=0, lt=2**31)], folder: DatasetDep) -> Response:
    """A tile as PNG."""
    return Response(picture(open_tiles(folder), tile), media_type="image/png", headers={"Cache-Control": "private, max-age=3600"})
