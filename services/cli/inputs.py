"""What several commands are given."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from eartheye.contracts import Catalogue, read_catalogue

Version = Annotated[int, Parameter(validator=Number(gte=1, lte=2**31 - 1))]
"""Of a registered model; MLflow counts from 1, the platform's database as far as this."""
Champion = Annotated[int | None, Parameter(validator=Number(gte=0, lte=2**31 - 1))]
"""A version, 0 for none."""
Patience = Annotated[float, Parameter(validator=Number(gt=0, lte=30 * 24 * 3600))]
"""Seconds to wait for an answer, a month at most."""


def catalogue_of(data: Path, catalogue: Path | None) -> Catalogue:
    """Return the catalogue that was named, or the data folder's own."""
    return read_catalogue(catalogue or data / "catalogue.yaml")
