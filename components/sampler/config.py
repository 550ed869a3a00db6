"""What can be set about cells and about the drawing of sites."""

import math
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from eartheye.errors import InvalidConfig
from eartheye.flags import WholeNumber
from eartheye.seed import Seed


class CellsConfig(BaseModel):
    """Which cells of the grid are described."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    area: Literal["land", "footprints"] = "land"
    """Cells whose centre lies in the land cover's outline; with `footprints`, and in a scene that is cut at sites."""
    cell_km: Annotated[Literal[1, 3, 9, 36] | None, WholeNumber] = None
    """Another grid than the catalogue's, as a finer one for footprints of a few kilometres; where the land cover is coarser than the
    cell, the cell takes the class at its centre."""
    min_land_share: float = Field(0.05, ge=0, le=1)
    """Cells of which less is land are left out. The report does not say; water without a shore is a scene type that it filters out."""


class ClassRatio(BaseModel):
    """Share of the sites that each land-cover class gets: A_1 to A_7 of equation (1), in the order of the classes.

    The report leaves them to whoever samples. Here a third goes to built-up land, which covers one hundredth of the land and holds most
    of what sub-metre imagery shows, and little to open water, snow and bare ground, which are alike everywhere. The equation takes each
    share of M by itself: shares that add up to 1.1 draw a tenth more than M.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    forest: float = Field(0.2, ge=0, le=1)
    """Share of forest."""
    grassland: float = Field(0.15, ge=0, le=1)
    """Share of grassland."""
    cropland: float = Field(0.2, ge=0, le=1)
    """Share of cropland."""
    water: float = Field(0.05, ge=0, le=1)
    """Share of water."""
    wetland: float = Field(0.05, ge=0, le=1)
    """Share of wetland."""
    built_up: float = Field(0.3, ge=0, le=1)
    """Share of built-up land."""
    other: float = Field(0.05, ge=0, le=1)
    """Share of what is none of these, as bare ground and snow."""

    @model_validator(mode="after")
    def _draws_something(self) -> Self:
        if not any(self.model_dump().values()):
            raise InvalidConfig("every class_ratio is 0, so no site would be drawn: give at least one class a share")
        return self

    @property
    def total(self) -> float:
        """What the shares add up to."""
        return math.fsum(self.model_dump().values())


class SamplerConfig(BaseModel):
    """How sites are drawn from the cells."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    target_sites: int = Field(gt=0)
    """Sites wanted over all strata: M of equation (1). Strata of few cells, rounding, and class ratios that do not add up to 1 make the
    number drawn differ from it."""
    class_ratio: ClassRatio = ClassRatio()
    interval_m: float = Field(500.0, ge=1)
    """Width h of an elevation interval. The report does not print it."""
    seed: Seed = 0
    """Another seed draws other sites of the same strata."""
