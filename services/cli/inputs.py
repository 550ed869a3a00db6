"""What several commands are given."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

Version = Annotated[int, Parameter(validator=Number(gte=1, lte=2**31 - 1))]
"""Of a registered model; MLflow counts from 1, the platform's database as far as this."""
Champion = Annotated[int | None, Parameter(validator=Number(gte=0, lte=2**31 - 1))]
"""A version, 0 for none."""
Patience = Annotated[float, Parameter(validator=Number(gt=0, lte=30 * 24 * 3600))]
"""Seconds to wait for an answer, a month at most."""


def _on_this_machine(_: type, path: Path | None) -> None:
    if path is not None and str(path).startswith(("s3:/", "file:/")):  # a path has one slash of the two
        raise ValueError("give a path of this machine, without s3:// or file://")


LocalPath = Annotated[Path, Parameter(validator=_on_this_machine)]
"""Where only a file or a directory will do; a path would take the scheme of a URI for the name of a folder."""


def catalogue_of(data: str, catalogue: str | None) -> str:
    """Return where the catalogue is that was named, or the data folder's own."""
    return catalogue or f"{data.rstrip('/')}/catalogue.yaml"
