"""Tiles: how they are kept in shards, read, and parted into training and test."""

from eartheye.tiles.codec import decode, encode
from eartheye.tiles.footprint import footprints
from eartheye.tiles.shard import ShardReader, ShardWriter
from eartheye.tiles.split import SplitConfig, clear_of_test, split
from eartheye.tiles.tileset import TileSet

__all__ = ["ShardReader", "ShardWriter", "SplitConfig", "TileSet", "clear_of_test", "decode", "encode", "footprints", "split"]
