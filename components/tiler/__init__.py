"""The tiling step: imagery in, tiles with their truth out."""
