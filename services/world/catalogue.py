"""The catalogue of a world, in the layout that every data folder has."""

import datetime as dt
from pathlib import Path

import yaml

from eartheye.contracts import LAND_CLASSES, Catalogue, ClassSpec
from eartheye.contracts.catalogue import Elevation, LandCover, RasterLabels, Regions, SceneEntry
from services.world.config import GSD_M, WorldConfig
from services.world.cover import COLOURS, Cover
from services.world.mosaics import TRUTHS
from services.world.scenes import SCENES

SMALLEST_WIDTH_M = 15.0
"""What is narrower takes the class around it: roads, single houses, creeks, pools, lawns and tree rows are no class of their own."""
CORRUPT, CORRUPT_ACQUIRED = "corrupt.tif", dt.date(2023, 6, 20)
BANDS = ("red", "green", "blue")
SENSOR = "synthetic-rgb"


def make_catalogue(config: WorldConfig) -> Catalogue:
    """Return the catalogue of a world."""
    scenes = [
        SceneEntry(
            path=scene.file,
            sensor=SENSOR,
            bands=BANDS,
            acquired=scene.acquired,
            quarter=scene.period,
            gsd_m=GSD_M,
            pretrain=not scene.changed,
        )
        for scene in SCENES
    ]
    scenes.append(SceneEntry(path=CORRUPT, sensor=SENSOR, bands=BANDS, acquired=CORRUPT_ACQUIRED, gsd_m=GSD_M))
    dates = {"landcover": False, "landcover_2024": True}
    classes = tuple(ClassSpec(value=cover, name=LAND_CLASSES[cover - 1], colour=COLOURS[cover]) for cover in Cover)
    return Catalogue(
        title=f"Synthetic world, seed {config.seed}, {config.size_km:g} km",
        licence="Apache-2.0",
        attribution="EarthEye synthetic world",
        land_cover=LandCover(path="landcover.tif", legend="worldcover"),
        elevation=Elevation(path="dem.tif"),
        regions=Regions(path="regions.gpkg", id="region_id", name="name"),
        scenes=tuple(scenes),
        labels=tuple(
            RasterLabels(
                name=name,
                path=truth,
                classes=classes,
                scenes=tuple(scene.file for scene in SCENES if scene.changed == changed),
                smallest_width_m=SMALLEST_WIDTH_M,
            )
            for (name, changed), truth in zip(dates.items(), TRUTHS, strict=True)
        ),
    )


def write_catalogue(config: WorldConfig, path: Path) -> None:
    """Write `catalogue.yaml`."""
    fields = make_catalogue(config).model_dump(mode="json", exclude_defaults=True)
    labels = [{"kind": "raster", **label} for label in fields.pop("labels")]
    path.write_text(yaml.safe_dump({**fields, "labels": labels}, sort_keys=False, default_flow_style=None, width=140))
