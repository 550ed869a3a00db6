"""What the stages agree on: manifests of folders, packages, messages and the catalogue of a data folder."""

from eartheye.contracts.catalogue import Catalogue, read_catalogue
from eartheye.contracts.manifest import Manifest, digest
from eartheye.contracts.map import Map
from eartheye.contracts.package import (
    Architecture,
    BackboneReference,
    ClassSpec,
    ImageSpec,
    ModelPackage,
    Provenance,
    ServingPackage,
)
from eartheye.contracts.report import Report, Score
from eartheye.contracts.sites import LAND_CLASSES, Cells, Sites
from eartheye.contracts.tiles import Curated, LabelSet, Sensor, Tiles
from eartheye.gate import GatePolicy

__all__ = [
    "LAND_CLASSES",
    "Architecture",
    "BackboneReference",
    "Catalogue",
    "Cells",
    "ClassSpec",
    "Curated",
    "GatePolicy",
    "ImageSpec",
    "LabelSet",
    "Manifest",
    "Map",
    "ModelPackage",
    "Provenance",
    "Report",
    "Score",
    "Sensor",
    "ServingPackage",
    "Sites",
    "Tiles",
    "digest",
    "read_catalogue",
]
