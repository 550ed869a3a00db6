"""EarthEye: from satellite imagery to a served map."""

__version__ = "0.1.0"
