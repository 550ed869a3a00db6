"""Tiles: how they are kept in shards, read, and parted into training and test."""

from eartheye.tiles.codec import decode, encode
from eartheye.tiles.footprint import footprints
from eartheye.tiles.shard import ShardReader, ShardWriter
from eartheye.tiles.split import SplitConfig, split
from eartheye.tiles.tileset import TileSet

__all__ = ["ShardReader", "ShardWriter", "SplitConfig", "TileSet", "decode", "encode", "footprints", "split"]
