"""GDAL's view of a store."""

import rasterio
from rasterio.session import Session


class StoreSession(Session):
    """Endpoint and credentials of a store, as rasterio takes them; its own AWS session needs boto3.

    Args:
        options: GDAL configuration.
    """

    def __init__(self, options: dict[str, str]) -> None:
        self.credentials = options

    @classmethod
    def hascreds(cls, config: dict[str, str]) -> bool:
        """Say whether a GDAL configuration can reach an S3 server by itself."""
        return "AWS_ACCESS_KEY_ID" in config or "AWS_NO_SIGN_REQUEST" in config

    def get_credential_options(self) -> dict[str, str]:
        """Return the GDAL configuration."""
        return self.credentials


def environment(options: dict[str, str]) -> rasterio.Env:
    """Return the rasterio environment with a store's GDAL configuration; an ordinary one for a store that needs none."""
    return rasterio.Env(session=StoreSession(options)) if options else rasterio.Env()
