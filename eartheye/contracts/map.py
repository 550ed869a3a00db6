"""What a mapping job leaves."""

from typing import Literal

from eartheye.contracts.manifest import Manifest
from eartheye.store import Bulk, Folder


class Map(Manifest):
    """A class map with its polygons and its STAC item; there is one only when no block of the plan failed.

    `made_from` is the digest of the plan and of what was asked of the polygons and the STAC item.
    """

    kind: Literal["map/1"] = "map/1"
    job: str
    scene: str
    model: str
    model_version: int
    model_digest: str
    raster: Bulk
    """COG, uint8 class values, 0 for no data."""
    polygons: Bulk
    """GeoParquet: `class` uint8, `name` string, `area_m2` float64, geometry in the scene's reference system."""
    stac: Bulk
    """STAC item, JSON."""
    blocks_done: int
    blocks_empty: int
    """Blocks of the scene that hold no data."""
    licence: tuple[str, ...]
    """Licences of what the model was trained on."""
    attribution: tuple[str, ...]

    def is_whole(self, folder: Folder) -> bool:
        """Say whether a folder holds the map's objects in their sizes; what is in them is not read."""
        return all(folder.size(bulk.name) == bulk.size for bulk in (self.raster, self.polygons, self.stac))
