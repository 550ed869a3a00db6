"""Mapping a scene in the caller's own process: the model of a folder or of the registry, one pass, no server."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from eartheye.blocks import Window, area_of, map_window
from eartheye.contracts import ServingPackage
from eartheye.errors import InvalidConfig, InvalidName, StoreUnavailable
from eartheye.predictor import Predictor, open_predictor
from eartheye.raster import CogSpec, open_scene, write_cog
from eartheye.settings import load as load_settings
from eartheye.store import Folder
from services.inference.admission import check_fit
from services.inference.worker import read_images

REGISTRY = "models:/"
NO_VERSION = 0
"""A package in a folder is no version of a registered model; only Triton asks for one."""


@dataclass(frozen=True)
class ClassMap:
    """Classes of a scene's pixels."""

    classes: NDArray[np.uint8]
    """(height, width) class values, 0 without data."""
    crs: CRS
    transform: Affine
    package: ServingPackage
    """Of the model: its classes, and what its data's licences ask for."""

    def write(self, path: Path | str) -> None:
        """Write a cloud-optimised GeoTIFF.

        Raises:
            InvalidName: a folder has its name, or a file that of its folder.
            StoreUnavailable: its folder cannot be written to.
            StoreFull: there is no room for it.
        """
        check_folder(Path(path))
        height, width = self.classes.shape
        spec = CogSpec(
            crs=self.crs,
            transform=self.transform,
            width=width,
            height=height,
            dtype="uint8",
            bands=("class",),
            nodata=0,
            classes=self.package.classes,
            tags=self.package.rights,
        )
        write_cog(Path(path), self.classes[None], spec)


class MapModel:
    """A segmentation model, loaded into this process: run by PyTorch where the settings name it, by ONNX Runtime otherwise.

    Where they name Triton too, for the server may hold another version, or none: what is loaded is the package that was asked for.

    Args:
        folder: of its serving package.

    Raises:
        NotFinished: the folder holds no serving package.
        InvalidConfig: it is no segmentation model.
        PredictorUnavailable: the model cannot be run.
    """

    def __init__(self, folder: Folder) -> None:
        self.package = ServingPackage.read(folder)
        if self.package.task != "segmentation":
            raise InvalidConfig(f"{self.package.title} classifies whole scenes: only segmentation models make maps")
        settings = load_settings()
        if settings.predictor == "triton":
            settings = settings.model_copy(update={"predictor": "onnxruntime"})
        self._predict: Predictor = open_predictor(folder, self.package, self.package.title, NO_VERSION, settings)

    def predict(
        self,
        scene: str | Path,
        bands: tuple[str, ...] | None = None,
        area: tuple[float, float, float, float] | None = None,
        crs: str | None = None,
    ) -> ClassMap:
        """Map a scene in one pass.

        Args:
            scene: path or URI of a georeferenced raster.
            bands: names of its bands, where the file does not name them.
            area: west, south, east, north in the scene's reference system; the whole scene by default.
            crs: stands in for a reference system that the file lacks or leaves unknown, as `EPSG:4326`.

        Raises:
            WrongBands: the scene has other bands or another data type than the model takes.
            WrongScale: its ground sampling distance is outside the model's range.
            UnreadableRaster: it cannot be read.
            MissingCrs: it does not say where on Earth it lies, or lies nowhere.
        """
        with open_scene(str(scene), bands, crs=crs) as opened:
            check_fit(opened, self.package)
            window: Window = area_of(opened, area)
            origin = (window.column, window.row)
            classes = map_window(read_images(opened, self.package), self._predict, self.package, window, origin)
            return ClassMap(classes, opened.crs, opened.transform @ Affine.translation(*origin), self.package)


def check_output(scene: str, output: Path) -> None:
    """Refuse a file for the map that cannot be made, or that holds the scene, before time is spent on it.

    Args:
        scene: path or URI of the raster.
        output: the file to make.

    Raises:
        InvalidName: a folder has its name, or a file that of its folder.
        StoreUnavailable: its folder cannot be written to.
        InvalidConfig: it is the scene.
    """
    check_folder(output)
    if output.exists() and Path(Folder(scene).root).resolve() == output.resolve():
        raise InvalidConfig(f"{output} is the scene, the map would overwrite it: choose another name for the map")


def check_folder(output: Path) -> None:
    """Refuse a file that cannot be made where it is to lie; tried, for neither rights nor owners tell it of every file system.

    Raises:
        InvalidName: a folder has its name, or a file that of its folder.
        StoreUnavailable: its folder cannot be written to.
    """
    try:
        folder = next(parent for parent in output.absolute().parents if parent.exists())
        if output.is_dir() or not folder.is_dir():
            raise InvalidName(f"{output} cannot be made: a folder has this name, or a file that of its folder; choose another name")
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise StoreUnavailable(
            f"{output} cannot be made ({error.strerror}): give this user the right to write there, or choose another folder"
        ) from error


def load(model: str) -> MapModel:
    """Load a model to map scenes with, in this process and without a server; `EARTHEYE_PREDICTOR=torch` has PyTorch run it.

    Args:
        model: folder of a serving package, or `models:/NAME@ALIAS` of the registry.

    Raises:
        NotFinished: the folder holds no serving package.
        UnknownModel: the registry has no such model or alias.
        InvalidConfig: it is no segmentation model.
        PredictorUnavailable: it cannot be run, or, for PyTorch, does not say which model it was exported from.
    """
    if not model.startswith(REGISTRY):
        return MapModel(Folder(model))
    from eartheye.tracking import resolve  # MLflow takes seconds to import

    name, _, alias = model.removeprefix(REGISTRY).partition("@")
    return MapModel(Folder(resolve(name, alias or "champion").serving))
