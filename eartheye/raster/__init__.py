"""Rasters: scenes read by window, pixels made ready for a network, maps written as Cloud Optimized GeoTIFF."""

from eartheye.raster.bands import select_bands
from eartheye.raster.cog import CogSpec, write_cog
from eartheye.raster.normalise import normalise
from eartheye.raster.reference import WGS84, known_crs
from eartheye.raster.resample import read_on_grid
from eartheye.raster.scene import Scene, open_scene

__all__ = ["WGS84", "CogSpec", "Scene", "known_crs", "normalise", "open_scene", "read_on_grid", "select_bands", "write_cog"]
