"""What several commands are given."""

from pathlib import Path

from eartheye.contracts import Catalogue, read_catalogue


def catalogue_of(data: Path, catalogue: Path | None) -> Catalogue:
    """Return the catalogue that was named, or the data folder's own."""
    return read_catalogue(catalogue or data / "catalogue.yaml")
