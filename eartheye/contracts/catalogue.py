"""The catalogue of a data folder: which imagery, labels and geodata lie where, and on what terms.

A data folder holds `catalogue.yaml`; every path in it is relative to the folder. docs/catalogue.md shows one with comments.
"""

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from eartheye.contracts.messages import CRS_CODE
from eartheye.contracts.package import ClassSpec
from eartheye.errors import InvalidCatalogue
from eartheye.field_mistakes import fields_of
from eartheye.store import object_at
from eartheye.yaml_mistakes import mistake_of

LARGEST_CHIP_PX = 8192
"""Largest side of a tile: several are in memory at once, 200 megabytes each in three bands of a byte."""
LARGEST_MASK_VALUE = 255
"""Of a class in a mask, a byte a pixel; 0 is not labelled."""
ENTRY = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

LabelName = Annotated[str, Field(min_length=1, max_length=100)]
"""Names a set of masks; a part of their keys in LMDB, which takes 511 bytes."""


def _with_one_group(pattern: re.Pattern[str]) -> re.Pattern[str]:
    if pattern.groups != 1:
        raise ValueError(f"{pattern.pattern} has {pattern.groups} groups: put one pair of parentheses around what images share")
    return pattern


GroupPattern = Annotated[re.Pattern[str], AfterValidator(_with_one_group)]


class Terms(BaseModel):
    """Licence and attribution; what an entry leaves out it takes from the catalogue's head."""

    model_config = ENTRY

    licence: str | None = None
    attribution: str | None = None


class LandCover(Terms):
    """A land-cover raster."""

    path: str
    legend: Literal["worldcover", "igbp"]
    """Meaning of its codes: ESA WorldCover, or IGBP as in MODIS MCD12."""
    crs: str | None = Field(None, pattern=CRS_CODE)
    """Stands in for a reference system that the file lacks or leaves unknown, as `EPSG:4326`."""


class Elevation(Terms):
    """A digital elevation model in metres."""

    path: str
    crs: str | None = Field(None, pattern=CRS_CODE)
    """As that of the land cover."""


class Regions(Terms):
    """Polygons of administrative regions."""

    path: str
    id: str
    """Column that identifies a region."""
    name: str
    """Column with its name."""


class Imagery(Terms):
    """What scenes and image folders have in common."""

    sensor: str
    bands: tuple[str, ...]
    """Names of the file's bands, in order; `red`, `green`, `blue`, `nir`, `pan`, ..."""
    channels: tuple[str, ...] = Field(("red", "green", "blue"), min_length=1)
    """Bands that a network's channels take; (`pan`, `pan`, `pan`) feeds one band to all three."""

    @model_validator(mode="after")
    def _channels_are_bands(self) -> "Imagery":
        if len(set(self.bands)) < len(self.bands):
            raise ValueError(f"a name stands twice among the bands {list(self.bands)}: give each its own")
        if missing := set(self.channels) - set(self.bands):
            raise ValueError(f"channels {sorted(missing)} are not among the bands {list(self.bands)}: set `channels`")
        return self


class SceneEntry(Imagery):
    """A georeferenced raster."""

    path: str
    acquired: dt.date | None = None
    quarter: str | None = Field(None, pattern=r"^[12][0-9]{3}Q[1-4]$")
    """Set for quarterly mosaics."""
    gsd_m: float | None = Field(None, gt=0, allow_inf_nan=False)
    """Ground sampling distance; read off the file where it is left out."""
    nodata: float | None = None
    """Stands in for a nodata value that the file does not declare."""
    crs: str | None = Field(None, pattern=CRS_CODE)
    """Stands in for a reference system that the file lacks or leaves unknown, as `EPSG:32650`."""
    cut: Literal["sites", "cover"] = "sites"
    """Tiles at the drawn sites, or on a lattice that covers the scene."""
    chip_px: int | None = Field(None, gt=0, le=LARGEST_CHIP_PX)
    """Side of this scene's tiles, where it differs from the tiler's."""
    pretrain: bool = True
    """False keeps the tiles out of pretraining, as a later date for change detection."""


class ImagesEntry(Imagery):
    """A folder of images without georeference."""

    path: str
    """Folder, or glob pattern of the images."""
    labelled_by_folder: bool = False
    """Each image's class is the name of its folder."""
    group_pattern: GroupPattern | None = None
    """Regular expression with one group, searched in an image's path: images whose group reads the same, as (`tile\\d+`), are never split
    between training and test. None: each image stands alone."""
    chip_px: int | None = Field(None, gt=0, le=LARGEST_CHIP_PX)


class RasterLabels(Terms):
    """A georeferenced class raster; its values are the classes' values."""

    kind: Literal["raster"] = "raster"
    name: LabelName
    path: str
    crs: str | None = Field(None, pattern=CRS_CODE)
    """As that of a scene."""
    classes: tuple[ClassSpec, ...] = Field(min_length=1)
    scenes: tuple[str, ...] | None = None
    """Paths of the scenes that it is the truth of; None for all. A scene from after a change is not one of them."""
    smallest_width_m: float | None = Field(None, ge=0, allow_inf_nan=False)
    """Objects narrower than this take the class around them."""


class VectorLabels(Terms):
    """Polygons of one class over one scene; ground without a polygon is the background class."""

    kind: Literal["vector"] = "vector"
    name: LabelName
    path: str
    scene: str
    """Path of the scene that was labelled."""
    background: ClassSpec
    foreground: ClassSpec

    @property
    def classes(self) -> tuple[ClassSpec, ...]:
        """Background and foreground."""
        return (self.background, self.foreground)


class MaskLabels(Terms):
    """Colour masks beside images without georeference."""

    kind: Literal["masks"] = "masks"
    name: LabelName
    images: str
    """The `path` of the image entry that was labelled."""
    find: tuple[str, str]
    """Mask of an image: the first text in its path replaced by the second, as (`images/`, `masks/`); the ending becomes `.png`."""
    classes: tuple[ClassSpec, ...] = Field(min_length=1)
    """A class's `colour` is its colour in the masks."""


Labels = Annotated[RasterLabels | VectorLabels | MaskLabels, Field(discriminator="kind")]


class Catalogue(BaseModel):
    """Everything in a data folder that the platform works with."""

    model_config = ENTRY

    title: str
    licence: str
    attribution: str
    land_cover: LandCover | None = None
    elevation: Elevation | None = None
    regions: Regions | None = None
    cell_km: Literal[1, 3, 9, 36] = 1
    """Cells of the sampling grid: not finer than the land cover."""
    scenes: tuple[SceneEntry, ...] = ()
    images: tuple[ImagesEntry, ...] = ()
    labels: tuple[Labels, ...] = ()

    @model_validator(mode="after")
    def _classes_fit_into_masks(self) -> "Catalogue":
        for labels in self.labels:
            values = [spec.value for spec in labels.classes]
            if len(set(values)) < len(values) or max(values) > LARGEST_MASK_VALUE:
                raise ValueError(
                    f"the {len(values)} classes of labels '{labels.name}' have the values {min(values)} to {max(values)}: "
                    f"give each its own `value` from 1 to {LARGEST_MASK_VALUE}, a mask holds no others"
                )
            if twice := _twice(spec.name for spec in labels.classes):
                raise ValueError(f"two classes of labels '{labels.name}' are called '{twice}': give each its own `name`")
            if labels.kind == "masks" and (twice := _twice(spec.colour.lower() for spec in labels.classes)):
                raise ValueError(f"two classes of labels '{labels.name}' are {twice} in the masks: give each its own `colour`")
        return self

    def terms(self, entry: Terms) -> tuple[str, str]:
        """Return licence and attribution of an entry."""
        return entry.licence or self.licence, entry.attribution or self.attribution


def _twice(names: Iterable[str]) -> str | None:
    """Return the first name that stands twice, None where each stands once."""
    return next((name for name, count in Counter(names).items() if count > 1), None)


def read_catalogue(uri: str | Path) -> Catalogue:
    """Return the catalogue in a YAML file.

    Args:
        uri: a path, `file:///path` or `s3://bucket/key`.

    Raises:
        InvalidCatalogue: there is none, or it is malformed.
        FolderRefused: this user may not read it.
    """
    folder, name = object_at(uri)
    if (content := folder.read(name)) is None:
        raise InvalidCatalogue(f"{uri} is missing, or no file: describe the data folder there, as docs/catalogue.md says")
    try:
        return Catalogue.model_validate(yaml.safe_load(content.decode()))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidCatalogue(f"{uri} is not YAML: {mistake_of(error)}") from None
    except ValidationError as error:
        raise InvalidCatalogue(f"{uri}: {fields_of(error)}") from None
