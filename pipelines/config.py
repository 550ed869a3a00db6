"""What can be set about the whole chain: one file, the steps' own configurations in it."""

import datetime as dt
import math
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from components.curator.config import CuratorConfig
from components.evaluator.config import EvaluatorConfig
from components.exporter.config import ExporterConfig
from components.finetuner.config import FinetuneConfig
from components.pretrainer.config import PretrainConfig
from components.sampler.config import CellsConfig, SamplerConfig
from components.tiler.config import TilerConfig
from eartheye.contracts import Catalogue, GatePolicy
from eartheye.contracts.messages import CRS_CODE, NAME, Coordinate
from eartheye.errors import InvalidConfig
from eartheye.field_mistakes import fields_of
from eartheye.yaml_mistakes import mistake_of

MODEL = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class SamplingConfig(BaseModel):
    """One drawing of sites."""

    model_config = MODEL

    title: str = Field(pattern=NAME)
    """Names its folder: `sampling/TITLE`. The tiler cuts at the sites of the one titled `tiles`."""
    cells: CellsConfig = CellsConfig()
    sampler: SamplerConfig


class HeadConfig(BaseModel):
    """One task: its head, evaluation and export."""

    model_config = MODEL

    finetuner: FinetuneConfig
    evaluator: EvaluatorConfig = EvaluatorConfig()
    exporter: ExporterConfig = ExporterConfig()

    @property
    def title(self) -> str:
        """Name of the registered model; names the folders under `heads/TITLE`."""
        return self.finetuner.title


class MapConfig(BaseModel):
    """One map to make with a promoted model."""

    model_config = MODEL

    title: str = Field(pattern=NAME)
    """Names its folder: `maps/TITLE/vVERSION`. Another scene or other settings take another title."""
    model: str = Field(pattern=NAME)
    scene: str
    """Raster to map, relative to the data folder."""
    bands: tuple[str, ...] | None = None
    """Names of its bands, in order. This and the next three are taken from the catalogue's scene where they are left out; for a raster
    that the catalogue does not have, the file alone tells them then."""
    nodata: float | None = None
    """Stands in for a nodata value that the file does not declare."""
    crs: str | None = Field(None, pattern=CRS_CODE)
    """Stands in for a reference system that the file lacks or leaves unknown, as `EPSG:32650`."""
    acquired: dt.date | None = None
    """Day of the scene, for the map's STAC item."""
    area: tuple[Coordinate, Coordinate, Coordinate, Coordinate] | None = None
    """West, south, east, north in the scene's reference system; the whole scene where it is left out."""
    min_area_m2: float = Field(0.0, ge=0)
    timeout_s: float = Field(3600.0, gt=0)

    @model_validator(mode="after")
    def _area_has_an_extent(self) -> Self:
        if self.area is not None and not (self.area[0] < self.area[2] and self.area[1] < self.area[3]):
            raise InvalidConfig(
                f"map '{self.title}': area {list(self.area)} is none: give west, south, east, north with west < east and south < north"
            )
        return self

    def completed(self, catalogue: Catalogue) -> Self:
        """Return it with what it leaves out and the catalogue says of its scene.

        Args:
            catalogue: of the data folder; of several scenes of one file the first counts.
        """
        entry = next((entry for entry in catalogue.scenes if entry.path == self.scene), None)
        if entry is None:
            return self
        said = entry.model_dump(include={"bands", "nodata", "crs", "acquired"})
        if entry.nodata is not None and not math.isfinite(entry.nodata):
            said["nodata"] = None  # no message carries such a number, and pixels of it have no data anyhow
        return self.model_copy(update={name: value for name, value in said.items() if getattr(self, name) is None})


class ChainConfig(BaseModel):
    """Everything from imagery to maps."""

    model_config = MODEL

    name: str = Field(pattern=NAME)
    samplings: tuple[SamplingConfig, ...] = ()
    """One of them is titled `tiles`. None where no scene is cut at sites: then the catalogue needs no land cover, elevation and regions."""
    tiler: TilerConfig = TilerConfig()
    tiling_pods: int = Field(1, ge=1, le=1000)
    """Pods that cut tiles at the same time. The tiles do not depend on it; more than there are parts of `tiler.part_tiles` have nothing to
    do. Default: one machine, whose cores one process keeps busy."""
    curator: CuratorConfig = CuratorConfig()
    pretrainer: PretrainConfig = PretrainConfig()
    evaluator: EvaluatorConfig = EvaluatorConfig()
    """Of the backbone."""
    heads: tuple[HeadConfig, ...]
    maps: tuple[MapConfig, ...] = ()
    gate: GatePolicy = GatePolicy()
    """What the registry of a demonstration asks; a platform that runs has its own (`EARTHEYE_GATE`), and does not ask the pipeline."""

    @model_validator(mode="after")
    def _titles_fit_together(self) -> Self:
        for part in ("samplings", "heads", "maps"):
            titles = [given.title for given in getattr(self, part)]
            if twice := sorted({title for title in titles if titles.count(title) > 1}):
                raise InvalidConfig(f"two {part} are titled '{twice[0]}' and would share a folder: give each its own title")
        if self.samplings and "tiles" not in {sampling.title for sampling in self.samplings}:
            raise InvalidConfig("no sampling is titled 'tiles': title so the one at whose sites the tiler is to cut")
        models = sorted(head.title for head in self.heads if head.finetuner.task == "segmentation")
        for wanted in self.maps:
            if wanted.model not in models:
                raise InvalidConfig(
                    f"map '{wanted.title}': no segmentation head is titled '{wanted.model}': add one, or name one of {models}"
                )
        return self

    def sites(self, root: str) -> str:
        """Return the folder of the sites that the tiler cuts at, empty where none are drawn.

        Args:
            root: folder that takes the steps' folders.
        """
        return f"{root}/sampling/tiles/sites" if self.samplings else ""

    def of_steps(self) -> dict[str, dict[str, Any]]:
        """Return the configuration of each step that runs once.

        Fields left at their defaults are left out, here and below, so that a step's digest does not change with a release that adds one.
        """
        fields = self.model_dump(mode="json", exclude_defaults=True)
        return {step: fields.get(step, {}) for step in ("tiler", "curator", "pretrainer", "evaluator")}

    def repetitions(self, root: str) -> dict[str, list[dict[str, Any]]]:
        """Return the configurations of the steps that run several times, and their folders.

        Args:
            root: folder that takes the steps' folders.
        """
        fields = self.model_dump(mode="json", exclude_defaults=True)
        samplings = [{**given, **folders(f"{root}/sampling/{given['title']}", "cells", "sites")} for given in fields.get("samplings", [])]
        heads = [
            {"title": head.title, **given, **folders(f"{root}/heads/{head.title}", "model", "report", "serving")}
            for head, given in zip(self.heads, fields["heads"], strict=True)
        ]
        return {
            "samplings": [{"cells": {}, **sampling} for sampling in samplings],
            "heads": [{"evaluator": {}, "exporter": {}, **head} for head in heads],
            "maps": fields.get("maps", []),
        }


def folders(within: str, *names: str) -> dict[str, str]:
    """Return the fields `NAME_folder` of the named folders within a folder."""
    return {f"{name}_folder": f"{within}/{name}" for name in names}


def read_chain(path: Path) -> ChainConfig:
    """Return the chain configured in a YAML file.

    Raises:
        InvalidConfig: it is missing or malformed.
    """
    try:
        return ChainConfig.model_validate(yaml.safe_load(path.read_text()))
    except FileNotFoundError:
        raise InvalidConfig(f"{path} is missing: give the YAML file of the chain") from None
    except OSError as error:
        raise InvalidConfig(f"{path} cannot be read ({error.strerror}): give a file of YAML that this user may read") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidConfig(f"{path} is not YAML: {mistake_of(error)}") from None
    except ValidationError as error:
        raise InvalidConfig(f"{path}: {fields_of(error)}") from None
    except InvalidConfig as error:
        raise InvalidConfig(f"{path}: {error}") from None
