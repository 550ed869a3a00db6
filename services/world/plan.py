"""The plan of a world: everything that is decided before the first pixel is drawn."""

from dataclasses import dataclass

import geopandas as gpd

from services.world.airport import Airport, place_airport
from services.world.buildings import Building, make_buildings
from services.world.changes import Change, make_changes
from services.world.config import WorldConfig
from services.world.cover import CoverGrid, make_cover
from services.world.regions import make_regions
from services.world.roads import Road, make_roads
from services.world.streets import make_grids, make_streets
from services.world.terrain import Terrain, make_terrain
from services.world.towns import place_towns


@dataclass(frozen=True)
class Plan:
    """What is where."""

    config: WorldConfig
    terrain: Terrain
    cover: CoverGrid
    airport: Airport
    roads: list[Road]
    """Highways and streets."""
    buildings: list[Building]
    changes: list[Change]
    regions: gpd.GeoDataFrame


def make_plan(config: WorldConfig) -> Plan:
    """Decide what is where in a world."""
    terrain = make_terrain(config)
    airport = place_airport(config, terrain)
    towns = place_towns(config, terrain, airport)
    cover = make_cover(config, terrain, towns, airport)
    highways = make_roads(config, terrain, towns, airport)
    grids = make_grids(config.seed, towns)
    roads = highways + make_streets(grids, towns, cover, airport)
    buildings = make_buildings(config.seed, grids, towns, cover, airport, highways)
    changes = make_changes(config, cover, airport, roads)
    return Plan(config, terrain, cover, airport, roads, buildings, changes, make_regions(config))
